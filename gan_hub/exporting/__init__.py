"""A model for other programs: ONNX files."""

from gan_hub.exporting.onnx_folder import OnnxExport, export_onnx

__all__ = ["OnnxExport", "export_onnx"]
