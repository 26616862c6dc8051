"""12-bit JPEG in DICOM ("JPEG Extended"), by gdcm; for a process that may be lost."""

from __future__ import annotations

import numpy as np

_UNSIGNED = 0


def decode_twelve_bits(stream: bytes, height: int, width: int, samples: int) -> np.ndarray:
    """One grey frame -> `[H, W]` uint16.

    Args:
        stream: a JPEG of 12 bits a sample.
        height, width: as the DICOM header states them.
        samples: a pixel; only 1 is handled.

    Raises:
        NotImplementedError: colour, or a missing codec.
        ValueError: a stream of another size.
    """
    try:
        import gdcm
    except ImportError:
        raise NotImplementedError("no codec for 12-bit JPEG") from None
    if samples != 1:
        raise NotImplementedError("12-bit JPEG in colour")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(stream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((width, height, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, _UNSIGNED))
    data = image.GetBuffer().encode("utf-8", "surrogateescape")  # gdcm hands out bytes as text
    return np.frombuffer(data, "<u2").reshape(height, width)
