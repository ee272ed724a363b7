"""What the data that a checkpoint was trained on asks of its weights: licences, citations, and known limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.checkpoints.information import CheckpointInfo
from zoo.config import VGG_BACKBONES


@dataclass(frozen=True)
class DatasetTerms:
    """What training on a dataset asks of the weights: the Hub's licence id, a sentence on it, the citation.

    training_videos: how many images of the training split each video gave, where the images are frames of videos.
    """

    licence: str
    sentence: str
    citation: str
    limits: tuple[str, ...] = ()
    training_videos: Mapping[str, int] = field(default_factory=dict)


# As the files of the SegNet tutorial's copy are called: the video is what stands before the first '_'.
CAMVID_TRAINING_VIDEOS = {"0001TP": 62, "0006R0": 101, "0016E5": 204}
_FRAMES, _ALL_FRAMES = CAMVID_TRAINING_VIDEOS["0016E5"], sum(CAMVID_TRAINING_VIDEOS.values())

TERMS = {
    "camvid": DatasetTerms(
        "cc-by-nc-4.0",
        "The weights were trained on CamVid and are under CC BY-NC 4.0: research, not commerce.",
        """@article{brostow2009semantic,
  title   = {Semantic object classes in video: A high-definition ground truth database},
  author  = {Brostow, Gabriel J. and Fauqueur, Julien and Cipolla, Roberto},
  journal = {Pattern Recognition Letters},
  volume  = {30}, number = {2}, pages = {88--97}, year = {2009}
}""",
        (
            f"CamVid's val frames come from the video sequence 0016E5, which also gives {_FRAMES} of the {_ALL_FRAMES} "
            "train frames: figures on val are higher than on a street that the model has not seen.",
        ),
        CAMVID_TRAINING_VIDEOS,
    ),
    "voc": DatasetTerms(
        "other",
        "PASCAL VOC's images come from Flickr and keep the licences of their authors; see the VOC web page.",
        """@article{everingham2010pascal,
  title   = {The Pascal Visual Object Classes (VOC) Challenge},
  author  = {Everingham, Mark and Van Gool, Luc and Williams, Christopher K. I. and Winn, John and Zisserman, Andrew},
  journal = {International Journal of Computer Vision},
  volume  = {88}, number = {2}, pages = {303--338}, year = {2010}
}""",
    ),
    "cityscapes": DatasetTerms(
        "other",
        "Cityscapes may be used for research and teaching, not commerce; see the licence on its web page.",
        """@inproceedings{cordts2016cityscapes,
  title     = {The Cityscapes Dataset for Semantic Urban Scene Understanding},
  author    = {Cordts, Marius and Omran, Mohamed and Ramos, Sebastian and Rehfeld, Timo and Enzweiler, Markus and
               Benenson, Rodrigo and Franke, Uwe and Roth, Stefan and Schiele, Bernt},
  booktitle = {CVPR}, year = {2016}
}""",
    ),
}
TERMS |= {
    "street": DatasetTerms(
        "other",
        "LabelMeFacade's photos, which were trained on too, are for non-commercial and research experiments.",
        """@inproceedings{frohlich2010fast,
  title     = {A Fast Approach for Pixelwise Labeling of Facade Images},
  author    = {Fr{\\"o}hlich, Bj{\\"o}rn and Rodner, Erik and Denzler, Joachim},
  booktitle = {ICPR}, year = {2010}
}""",
        ("LabelMeFacade labels six of the classes; people, bicycles, poles, signs and fences were learned elsewhere.",),
    ),
    "cracks": DatasetTerms(
        "other",
        "The weights were trained on CrackForest, which is for non-commercial research.",
        """@article{shi2016automatic,
  title   = {Automatic Road Crack Detection Using Random Structured Forests},
  author  = {Shi, Yong and Cui, Limeng and Qi, Zhiquan and Meng, Fan and Chen, Zhensong},
  journal = {IEEE Transactions on Intelligent Transportation Systems},
  volume  = {17}, number = {12}, pages = {3434--3445}, year = {2016}
}""",
    ),
}
OTHER_TERMS = DatasetTerms("other", "The licence of the training data applies to the weights.", "")

METHOD_CITATION = """@article{shelhamer2017fully,
  title   = {Fully Convolutional Networks for Semantic Segmentation},
  author  = {Shelhamer, Evan and Long, Jonathan and Darrell, Trevor},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume  = {39}, number = {4}, pages = {640--651}, year = {2017}
}"""

VGG_CITATION = """@inproceedings{simonyan2015very,
  title     = {Very Deep Convolutional Networks for Large-Scale Image Recognition},
  author    = {Simonyan, Karen and Zisserman, Andrew},
  booktitle = {ICLR}, year = {2015}
}"""


def terms_of(info: CheckpointInfo) -> DatasetTerms:
    """The terms of everything that a checkpoint was trained on, its pretraining included.

    Where the datasets' licences differ, no one of the Hub's licence ids covers them all: 'other'.
    """
    each = [TERMS.get(name, OTHER_TERMS) for name in info.trained_on.split("+")]
    licences = {terms.licence for terms in each}
    sentences, citations = [terms.sentence for terms in each], [terms.citation for terms in each]
    pretraining = info.training.get("pretraining")
    if pretraining:
        sentences.append(f"Its encoder started from weights trained elsewhere: {pretraining}.")
    if str(pretraining).startswith("ImageNet") and info.backbone in VGG_BACKBONES:
        citations.append(VGG_CITATION)
    return DatasetTerms(
        licences.pop() if len(licences) == 1 else "other",
        " ".join(sentences),
        "\n".join(citation for citation in citations if citation),
        tuple(limit for terms in each for limit in terms.limits),
    )
