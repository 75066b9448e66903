"""A model for other programs: ONNX files, and a page that draws in the browser alone."""

from gan_hub.exporting.onnx_folder import OnnxExport, export_onnx
from gan_hub.exporting.web import export_web

__all__ = ["OnnxExport", "export_onnx", "export_web"]
