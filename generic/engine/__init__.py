"""Running a model file: ONNX Runtime by default, torch for models without a graph."""
