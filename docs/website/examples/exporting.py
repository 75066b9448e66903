from gan_hub import GANPipeline
from gan_hub.exporting import OnnxExport, export_onnx

pipe = GANPipeline.from_pretrained("dcgan-mnist")
export: OnnxExport = export_onnx(pipe, "digits-onnx")  # generator.onnx and a README
print(export.text())  # sizes, opset, and how far the images are from the model's
