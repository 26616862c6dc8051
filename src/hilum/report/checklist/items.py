"""The items of two reporting guidelines, in our own words, and which of our facts answers each.

The wording is ours and short; the papers have the items themselves and explain them, and are what a journal asks for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guideline:
    """A reporting guideline.

    Args:
        key: short name, as in `checklist.csv`.
        title, cite, doi: of the paper.
    """

    key: str
    title: str
    cite: str
    doi: str


@dataclass(frozen=True)
class Item:
    """One item.

    Args:
        guideline: its key.
        number: as in the paper.
        section: part of a paper that it belongs to.
        asks: in our own words.
        fact: name of the function in one of the `..._facts.py` that answers it; `you` where only people can.
    """

    guideline: str
    number: str
    section: str
    asks: str
    fact: str = "you"


CLAIM = Guideline(
    "CLAIM",
    "CLAIM, 2024 update",
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 "
    "Update. Radiology: Artificial Intelligence 2024;6(4):e240300.",
    "10.1148/ryai.240300",
)
TRIPOD = Guideline(
    "TRIPOD+AI",
    "TRIPOD+AI, 2024",
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction "
    "models that use regression or machine learning methods. BMJ 2024;385:e078378.",
    "10.1136/bmj-2023-078378",
)
GUIDELINES = (CLAIM, TRIPOD)

_CLAIM = (
    ("1", "Title and abstract", "The title or abstract says that it is about AI, and which kind", "technology"),
    ("2", "Title and abstract", "The abstract sums up design, methods, results, conclusion"),
    ("3", "Introduction", "Why it matters clinically, and what part the AI is to play"),
    ("4", "Introduction", "Aims and hypotheses"),
    ("5", "Study design", "Were the data gathered before or after the study was planned"),
    ("6", "Study design", "What kind of study: building a model, testing one, trying out", "goal"),
    ("7", "Data", "Where the images come from", "sources"),
    ("8", "Data", "Who and what was let in, and what was left out", "eligibility"),
    ("9", "Data", "What is done to a picture before the network sees it", "preprocessing"),
    ("10", "Data", "Which part of the data was used, if not all", "subset"),
    ("11", "Data", "How people were made unrecognisable"),
    ("12", "Data", "What was done about missing data", "missing"),
    ("13", "Data", "How the images were taken: machine, view, protocol", "acquisition"),
    ("14", "Reference standard", "How the true label of an image came about", "labels"),
    ("15", "Reference standard", "Why this way to the truth and no other"),
    ("16", "Reference standard", "Who labelled, and how they were qualified"),
    ("17", "Reference standard", "How the test images in particular were labelled"),
    ("18", "Reference standard", "How far labellers agree with each other and themselves", "agreement"),
    ("19", "Data partitions", "How images came to training, validation and test", "partitions"),
    ("20", "Data partitions", "What keeps the parts apart: image, patient, hospital", "disjoint"),
    ("21", "Testing data", "How large the test was meant to be, and why", "sample_size"),
    ("22", "Model", "The network in enough detail to build it again", "model"),
    ("23", "Model", "Software with versions", "software"),
    ("24", "Model", "What the weights were at the start", "initial"),
    ("25", "Training", "How it was trained: augmentation, settings, number of models", "training"),
    ("26", "Training", "How the final model was picked", "selection"),
    ("27", "Training", "Whether several models answer together", "ensemble"),
    ("28", "Evaluation", "By which figures it is judged", "metrics"),
    ("29", "Evaluation", "How uncertainty and differences are measured", "uncertainty"),
    ("30", "Evaluation", "Whether the result holds when something is changed", "robustness"),
    ("31", "Evaluation", "How one can see what the model looks at", "explained"),
    ("32", "Evaluation", "How it does on data of the same origin", "internal"),
    ("33", "Evaluation", "How it does on data from elsewhere", "external"),
    ("34", "Evaluation", "Registration, if it was a trial"),
    ("35", "Results: data", "How many patients and images came in and fell out", "flow"),
    ("36", "Results: data", "What the patients of each part are like", "demographics"),
    ("37", "Results: model", "The figures, with their uncertainty, on each part", "performance"),
    ("38", "Results: model", "Sensitivity, specificity and the like, with their precision", "diagnostic"),
    ("39", "Results: model", "What it gets wrong, looked at one by one", "failures"),
    ("40", "Discussion", "What limits the study", "limitations"),
    ("41", "Discussion", "What it means for practice, and the use it is meant for", "use"),
    ("42", "Other information", "Where the protocol and technical details are", "protocol"),
    ("43", "Other information", "Whether software, model and data can be had", "availability"),
    ("44", "Other information", "Who paid, and what they had a say in"),
)
_TRIPOD = (
    ("1", "Title", "The title says: a prediction model, for whom, of what, built or tested", "technology"),
    ("2", "Abstract", "An abstract after the guideline's own list for abstracts"),
    ("3a", "Background", "The clinical question, why a model, and which there are already"),
    ("3b", "Background", "For whom it is meant, at which point of care, and who uses it"),
    ("3c", "Background", "Which groups of people are known to be worse off"),
    ("4", "Objectives", "Aims; whether a model is built, tested or both", "goal"),
    ("5a", "Data", "Where the data of building and of testing come from, and whom they stand for", "sources"),
    ("5b", "Data", "From when to when"),
    ("6a", "Participants", "Which places, how many, what kind of care"),
    ("6b", "Participants", "Who was eligible", "eligibility"),
    ("6c", "Participants", "Treatments, where they matter"),
    ("7", "Data preparation", "Preprocessing and quality checks, alike for all groups of people", "preprocessing"),
    ("8a", "Outcome", "What is predicted, and how and when it was found out", "labels"),
    ("8b", "Outcome", "Who judged it, where judgement was needed"),
    ("8c", "Outcome", "Whether those who judged were kept from knowing more"),
    ("9a", "Predictors", "Which predictors were chosen to begin with", "predictors"),
    ("9b", "Predictors", "What each predictor is, and how and when it was measured", "predictors"),
    ("9c", "Predictors", "Who judged predictors, where judgement was needed", "unjudged"),
    ("10", "Sample size", "How the numbers came about, and why they are enough", "sample_size"),
    ("11", "Missing data", "What was done about missing data", "missing"),
    ("12a", "Analytical methods", "Which data served what: building, tuning, testing", "partitions"),
    ("12b", "Analytical methods", "How predictors were transformed", "preprocessing"),
    (
        "12c",
        "Analytical methods",
        "Kind of model, every step of building it, and how it was checked inside",
        "training",
    ),
    ("12d", "Analytical methods", "Whether places or groups were allowed to differ", "clusters"),
    ("12e", "Analytical methods", "By which figures and plots it is judged and compared", "metrics"),
    ("12f", "Analytical methods", "Whether the model was adjusted after testing", "updating"),
    ("12g", "Analytical methods", "How predictions were computed for the test", "predictions"),
    ("13", "Class imbalance", "What was done about rare classes, and to mend probabilities afterwards", "imbalance"),
    ("14", "Fairness", "What was done so that it serves all groups of people alike", "fairness"),
    ("15", "Model output", "What it puts out, and where thresholds come from", "output"),
    ("16", "Training and evaluation", "How the data of building and of testing differ", "shift"),
    ("17", "Ethical approval", "Which committee approved, and what was consented to"),
    ("18a", "Open science", "Who paid, and what they had a say in"),
    ("18b", "Open science", "Interests of the authors"),
    ("18c", "Open science", "Where the protocol is, or that there is none", "protocol"),
    ("18d", "Open science", "Registration, or that there is none"),
    ("18e", "Open science", "Whether the data can be had"),
    ("18f", "Open science", "Whether the code can be had", "software"),
    ("19", "Patients and public", "How patients and the public took part, or that they did not"),
    ("20a", "Participants", "How many came in, and how many of each outcome", "flow"),
    ("20b", "Participants", "What they are like, by source", "demographics"),
    ("20c", "Participants", "The test's people beside those of building", "shift"),
    ("21", "Model development", "How many people and outcomes in each analysis", "numbers"),
    ("22", "Model specification", "The model itself, so that others can use it", "model"),
    ("23a", "Model performance", "Figures with intervals, also for groups of people", "performance"),
    ("23b", "Model performance", "How figures differ between places or groups", "clusters"),
    ("24", "Model updating", "What came of adjusting it", "updating"),
    ("25", "Interpretation", "What the results mean, also for fairness"),
    ("26", "Limitations", "What limits the study", "limitations"),
    ("27a", "Usability", "What to do with bad or missing input when it is used", "bad_input"),
    ("27b", "Usability", "What users have to do and know"),
    ("27c", "Usability", "What to study next"),
)

ITEMS = tuple(Item("CLAIM", *row) for row in _CLAIM) + tuple(Item("TRIPOD+AI", *row) for row in _TRIPOD)
