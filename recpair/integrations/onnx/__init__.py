"""ONNX files of trained models: rankings of users or of histories."""
