"""The only words that may leave a DICOM header: closed lists, so that no patient's data can pass as a view or a maker.

Sources: DICOM PS3.3 C.7.3.1.1.1 (Modality), C.8.11.5 and C.8.1.3 (ViewPosition), PS3.16 Annex L (BodyPartExamined).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_VIEWS = {
    **dict.fromkeys(("PA", "POSTEROANTERIOR"), "PA"),
    **dict.fromkeys(("AP", "ANTEROPOSTERIOR"), "AP"),
    **dict.fromkeys(("LL", "RL", "LAT", "LATERAL", "LATERALIS", "SEITLICH", "PROFIL"), "LATERAL"),
    **dict.fromkeys(("LLD", "RLD", "DECUBITUS"), "DECUBITUS"),
    **dict.fromkeys(("LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBL", "OBLIQUE"), "OBLIQUE"),
}
_TERMS = (
    "AR AS AU BI BMD CD CF CR CS CT DD DF DG DM DR DS DX EC ECG EEG EPS ES FA FS GM HC IO IVOCT IVUS KO LP LS MA MG MR "
    "MS NM OAM OCT OP OPM OPT OPV OT PR PT PX REG RF RG RT RTDOSE RTIMAGE RTPLAN RTSTRUCT SC SEG SM SMR SR ST TG US VA "
    "VF VL XA XC"
)
MODALITIES = frozenset(_TERMS.split())
_SOP_CLASSES = {"1.2": "MG", "2": "CT", "4": "MR", "6": "US", "12.1": "XA", "12.2": "RF", "20": "NM", "128": "PT"}
"""What follows 1.2.840.10008.5.1.4.1.1. in the storage class of a picture -> modality (PS3.4 B.5)."""
_SOP_ROOT = "1.2.840.10008.5.1.4.1.1."
_PARTS = {
    "chest": "CHEST THORAX THORACIC LUNG LUNGS LUNGE TORAX PECHO TORACE POUMON POUMONS PULMO PULMON CXR BRUSTKORB "
    "BRONCHUS MEDIASTINUM",
    "hand": "HAND HANDS FINGER FINGERS THUMB WRIST HANDGELENK MANO CARPUS",
    "arm": "FOREARM UPARM ELBOW HUMERUS RADIUS ULNA ELLBOGEN CODO COUDE",
    "shoulder": "SHOULDER CLAVICLE SCAPULA SCHULTER HOMBRO EPAULE",
    "foot": "FOOT FEET TOE TOES ANKLE CALCANEUS HEEL FUSS PIED",
    "leg": "LEG KNEE TIBIA FIBULA FEMUR PATELLA THIGH EXTREMITY KNIE RODILLA GENOU",
    "pelvis": "PELVIS HIP HIPS SACRUM COCCYX BECKEN HUEFTE CADERA BASSIN HANCHE",
    "spine": "SPINE CSPINE TSPINE LSPINE SSPINE CTSPINE TLSPINE LSSPINE WIRBELSAEULE LUMBAR CERVICAL COLUMNA RACHIS",
    "head": "HEAD SKULL BRAIN JAW MANDIBLE MAXILLA NOSE ORBIT SINUS SINUSES TEETH TOOTH SCHAEDEL KOPF CRANEO CRANE",
    "neck": "NECK LARYNX HALS CUELLO",
    "abdomen": "ABDOMEN KUB STOMACH BOWEL COLON KIDNEY LIVER BLADDER BAUCH VIENTRE",
    "breast": "BREAST MAMMA MAMMOGRAPHY",
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words.split()}
_MAKER_NAMES = (
    "AGFA CANON CARESTREAM DELFT DRGEM DRTECH FUJI FUJIFILM GE HITACHI HOLOGIC KODAK KONICA "
    "LODOX MINDRAY MINOLTA OLDELFT PHILIPS PHANTOM RAYENCE SAMSUNG SEDECAL SHIMADZU SIEMENS STEPHANIX SWISSRAY THALES "
    "TOSHIBA TRIXELL VAREX VARIAN VIEWORKS"
)
_MAKERS = frozenset(_MAKER_NAMES.split())


def words_in(text: str | None) -> list[str]:
    """The words of a text in capitals, without accents; digits and signs part them."""
    plain = unicodedata.normalize("NFKD", text or "").upper()
    return re.findall(r"[A-Z]+", "".join(c for c in plain if not unicodedata.combining(c)))


def view_in(text: str | None) -> str | None:
    """`PA`, `AP`, `LATERAL`, `DECUBITUS`, `OBLIQUE`, or None."""
    joined = (text or "").replace("-", "")  # postero-anterior
    found = {_VIEWS[word] for word in words_in(joined) if word in _VIEWS}
    return next((view for view in ("DECUBITUS", "OBLIQUE", "LATERAL", "PA", "AP") if view in found), None)


def parts_in(texts: Iterable[str | None]) -> set[str]:
    """The parts of the body that the texts name; keys such as `chest` and `hand`."""
    return {_PART_OF[word] for text in texts for word in words_in(text) if word in _PART_OF}


def modality_of(text: str | None, sop_class: str | None) -> str | None:
    """A defined term such as `DX`; by the class of the file where the term is absent or none."""
    term = (text or "").upper()
    if term in MODALITIES:
        return term
    tail = (sop_class or "").removeprefix(_SOP_ROOT) if (sop_class or "").startswith(_SOP_ROOT) else ""
    return next((_SOP_CLASSES[key] for key in (tail, ".".join(tail.split(".")[:1])) if key in _SOP_CLASSES), None)


def maker_in(text: str | None) -> str | None:
    """The first word that is a maker's."""
    return next(
        (word.capitalize() if len(word) > 2 else word for word in words_in(text) if word in _MAKER_NAMES.split()), None
    )
