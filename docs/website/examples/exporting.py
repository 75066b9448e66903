from gan_hub import GANPipeline
from gan_hub.exporting import OnnxExport, export_onnx, export_web

pipe = GANPipeline.from_pretrained("dcgan-mnist")
export: OnnxExport = export_onnx(pipe, "digits-onnx")  # generator.onnx and a README
print(export.text())  # sizes, opset, and how far the images are from the model's
try:
    export_web(pipe, "digits-page")  # a page for any web server, with what an earlier runtime="download" kept
except ValueError as error:
    print(error)  # what to do where it was never fetched
