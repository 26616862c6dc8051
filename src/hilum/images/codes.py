"""Every way in which reading an image can end other than plainly well: one table of rejections, one of warnings."""

from __future__ import annotations

from typing import NamedTuple

from hilum.errors import ImageRejected


class Rejection(NamedTuple):
    """What stands behind a code: its meaning for the documentation, and the words of its message."""

    meaning: str
    expected: str
    way_out: str


REJECTIONS: dict[str, Rejection] = {
    "unreadable": Rejection(
        "The file cannot be opened: missing, a folder, a device, or no permission.",
        "a file that can be opened",
        "Check the path and its permissions",
    ),
    "empty": Rejection("The file has no bytes.", "an image", "Copy the file again from its source"),
    "too-large": Rejection(
        "The file, or what it inflates to, has more bytes than the limit.",
        "a file within the limits",
        "Raise the limit if you trust the file",
    ),
    "too-many-pixels": Rejection(
        "The header asks for more pixels than the limit; nothing was decoded.",
        "a picture within the limits",
        "Reduce the picture, or raise the limit if you trust the file",
    ),
    "too-small": Rejection(
        "A side is shorter than 32 pixels: an icon or a thumbnail, not an X-ray.",
        "at least 32 pixels a side",
        "Use the original picture",
    ),
    "not-an-image": Rejection(
        "The content is no picture, whatever the name says.",
        "JPEG, PNG, TIFF, WebP, BMP, GIF or DICOM",
        "Remove the file from the data set",
    ),
    "unsupported": Rejection(
        "A picture format, or a variant of one, that is not read here.",
        "JPEG, PNG, TIFF, WebP, BMP, GIF or DICOM of a common kind",
        "Save the picture as PNG or JPEG",
    ),
    "truncated": Rejection(
        "The data end before the picture does.", "a whole picture", "Copy the file again from its source"
    ),
    "corrupt": Rejection(
        "The data contradict themselves or cannot be decoded.",
        "a picture that decodes",
        "Copy the file again from its source",
    ),
    "multi-frame": Rejection(
        "The file holds several frames or pages and none was named.",
        "one frame",
        "Name a frame (counted from 0), or save one frame as a file of its own",
    ),
    "no-such-frame": Rejection(
        "The frame that was named is not in the file.", "a frame of the file", "Frames are counted from 0"
    ),
    "colour": Rejection(
        "A colour photograph or a colour map: its grey values are not those of an X-ray.",
        "a picture that is grey in truth",
        "Use the original X-ray without colour",
    ),
    "no-pixels": Rejection(
        "A DICOM file without pixel data: a report, a directory, a presentation state.",
        "DICOM with pixel data",
        "Remove the file from the data set",
    ),
    "missing-codec": Rejection(
        "The DICOM pixel data are compressed in a way for which no codec is installed.",
        "a codec for its transfer syntax",
        "pip install hilum[dicom]",
    ),
    "memory": Rejection(
        "Decoding asked for more memory than the limit, or than the machine has.",
        "a picture that decodes within the memory limit",
        "Reduce the picture, or raise the limit if you trust the file",
    ),
    "timeout": Rejection(
        "Decoding took longer than the limit; its process was ended.",
        "a picture that decodes within the time limit",
        "Save the picture as PNG, or raise the limit if you trust the file",
    ),
    "crash": Rejection(
        "The decoder crashed; it ran in a process of its own, so that nothing else was lost.",
        "a picture that decodes",
        "Copy the file again from its source",
    ),
    "modality": Rejection(
        "The header says that this is no radiograph (CT, MR, ultrasound, ...).",
        "a chest X-ray",
        "Force the prediction if the header is wrong",
    ),
    "body-part": Rejection(
        "The header names another part of the body.", "a chest X-ray", "Force the prediction if the header is wrong"
    ),
    "lateral": Rejection(
        "The header says that this is a view from the side.",
        "a frontal view",
        "Use the PA or AP view, or force the prediction if the header is wrong",
    ),
    "archive-unsafe-name": Rejection(
        "An entry of an archive whose name leads out of it (`../`, an absolute path).",
        "names below the archive",
        "Do not trust the archive",
    ),
    "archive-link": Rejection(
        "An entry of an archive that is a link or a device.", "plain files", "Pack the files that it points to"
    ),
    "archive-bomb": Rejection(
        "An archive, or an entry, that inflates beyond all measure, or whose entries share their bytes.",
        "an archive of pictures",
        "Do not trust the archive",
    ),
    "archive-duplicate": Rejection(
        "An entry whose name, capital letters aside, an earlier entry has.",
        "one entry a name",
        "Pack the archive again with names of their own",
    ),
    "archive-encrypted": Rejection(
        "An entry that needs a password.", "entries without a password", "Unpack the archive with its password first"
    ),
    "archive-nested": Rejection(
        "An archive inside an archive.", "pictures in the archive", "Unpack the inner archive first"
    ),
}
"""Code -> meaning and message; the code is what `quarantine.csv` and `ImageRejected.code` carry."""

WARNINGS: dict[str, str] = {
    "colour-discarded": "The picture has colour (a tint, drawn arrows); only its brightness was kept.",
    "alpha-flattened": "The picture is partly transparent; it was laid on black.",
    "blank": "Darkest and brightest pixel differ by less than 1 % of the range.",
    "one-bit": "The picture has black and white only.",
    "few-bits": "A 16-bit file that uses 8, 10, 12 or 14 bits without saying so; scaled up by a power of two.",
    "range-guessed": "Float or 32-bit values without a stated range; smallest and largest became black and white.",
    "depth-reduced": "16-bit colour samples were read with 8 bits.",
    "damaged": "The JPEG decoder met faults in the data and went on; parts of the picture may be wrong.",
    "window-missing": "DICOM with more than 8 bits and no window; the 0.5 and 99.5 percentiles were used.",
    "window-unusable": "The DICOM window is degenerate or leaves nothing to see; percentiles were used.",
    "rescale-ignored": "The DICOM rescale slope is 0 or not finite, or its modality table is broken; not applied.",
    "photometric-guessed": "DICOM that does not say whether 0 is black or white; black was assumed.",
}
"""Code -> meaning, for pictures that were read with something odd about them."""


def rejection(code: str, name: str, found: str = "") -> ImageRejected:
    """The exception for a code, in the words of the table.

    Args:
        code: a key of `REJECTIONS`.
        name: the file, as the user will look for it.
        found: what was there instead; never text out of a DICOM tag.
    """
    entry = REJECTIONS[code]
    return ImageRejected(code, name, expected=entry.expected, found=found, way_out=entry.way_out)
