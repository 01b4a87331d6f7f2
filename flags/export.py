"""Flags: what the trained encoder is written as."""

from flags import values

FORMATS = (
    "saved_model",
    "onnx",
    "onnx_raw",
    "litert",
    "litert_raw",
    "litert_int8",
    "keras",
    "safetensors",
)

values.some_of(
    "export_formats",
    ["saved_model"],
    FORMATS,
    "saved_model is written to saved_model/<step>/, the others are files in "
    "export/<step>/. Each is read back and compared. raw means that the preprocessing "
    "is inside, as in the SavedModel. onnx needs the packages of pip install "
    "'.[onnx]'.",
)
values.string(
    "model_licence", None, "What the model card says about the licence of the weights."
)


@values.check
def _formats_fit(export_formats, mode, encoder, dataset):
    if mode != "export" and "eval" not in mode:
        return None
    if "safetensors" in export_formats and encoder != "resnet":
        return (
            "--export_formats must be without safetensors for --encoder="
            f"{encoder}: its layers have no names in torchvision's ResNet."
        )
    if "litert_int8" in export_formats and dataset is None:
        return (
            "--dataset must be given with --export_formats=litert_int8, which takes "
            "the ranges of its integers from training images; got none."
        )
    return None
