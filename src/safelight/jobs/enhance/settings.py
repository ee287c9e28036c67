"""What a batch is asked to do: one set of settings for the command line, TOML and HTTP."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Container = Literal["same", "jpeg", "png", "tiff", "webp", "avif"]


class EnhanceSettings(BaseModel):
    """How every picture of a batch is restored and written. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "photo"
    strength: float = Field(1.0, ge=0, le=1)
    """0 gives the input back; in between fine luminance grain returns before chroma noise."""
    temperature: float | None = Field(None, ge=0, le=2)
    """Without samples: the result is one draw at this temperature instead of the mean. With: theirs."""
    samples: int = Field(0, ge=0, le=64)
    seed: int = 0
    sigma: float | None = Field(None, ge=0, le=255)
    """The noise level in units of 1/255, if it is known."""
    uncertainty: bool = False
    operations: tuple[str, ...] = ()
    """Classic operations on the result, in order, such as "contrast=1.2" (`augment.catalog`)."""
    precision: Literal["auto", "fp32", "int8"] = "auto"
    """What the mean is computed in; auto takes int8 where that is fast, for a mean without samples or uncertainty."""
    format: Container = "same"
    depth: Literal["same", "8", "10", "12", "16", "float"] = "same"
    quality: int = Field(95, ge=1, le=100)
    """Of jpeg, webp and avif; 100 is lossless for webp and avif."""
    metadata: Literal["keep", "strip", "strip-gps"] = "keep"
    provenance: bool = True
    """Say in the XMP what was done."""
    pages: Literal["first", "all"] = "first"
    pattern: str = "{stem}.{ext}"
    if_exists: Literal["skip", "overwrite", "rename"] = "skip"
    max_megapixels: float = Field(400.0, gt=0)

    def parameters(self) -> dict[str, object]:
        """What the pixels of a result depend on, beside the input and the model."""
        left_out = {"model", "pattern", "if_exists", "max_megapixels"}
        return self.model_dump(exclude=left_out if self.operations else {*left_out, "operations"})
