"""The ``augment:`` section: random changes of the training rows that leave their labels true."""

from __future__ import annotations

from sweeper.config.schema.node import Node, per_lane


class Augment(Node):
    """What is done to training rows, anew in each epoch; 0 switches a change off. Rows of validation and test are never changed.

    Each change belongs to some kinds of rows (``sweeper.config.rows``). All of them may differ between the lanes of a stack.
    """

    mixup: float = per_lane(
        0.0,
        ge=0,
        le=100,
        description="alpha of mixup, such as 0.2: rows and losses of two rows are blended by a share drawn from Beta(alpha, alpha) "
        "(Zhang et al., 2018); the label stays true because the loss is blended alike. Tables, series, images",
    )
    cutmix: float = per_lane(
        0.0,
        ge=0,
        le=100,
        description="alpha of CutMix, such as 1.0: a rectangle of another image is pasted in, and the losses are blended by the area "
        "really pasted (Yun et al., 2019); beside mixup a batch takes one of the two. Images",
    )
    noise: float = per_lane(
        0.0,
        ge=0,
        description="Gaussian noise, in standard deviations of the standardised inputs, such as 0.1; true while it is smaller than what "
        "tells the classes apart. Tables, series, images",
    )
    scaling: float = per_lane(
        0.0,
        ge=0,
        le=1,
        description="each feature of a series is multiplied by a factor of mean 1 and this standard deviation, such as 0.1 "
        "(Um et al., 2017); true where size does not tell the classes apart. Series",
    )
    time_warp: float = per_lane(
        0.0,
        ge=0,
        le=1,
        description="time runs faster and slower along a series, by this standard deviation of the speed, such as 0.2 "
        "(Um et al., 2017); true where speed does not tell the classes apart. Series",
    )
    crop: int = per_lane(
        0,
        ge=0,
        le=1024,
        description="pixels of zeros put around an image before a random part of its old size is cut out, such as 4; "
        "true where place does not matter. Images",
    )
    resized_crop: float = per_lane(
        0.0,
        ge=0,
        lt=1,
        description="largest share of the area that is cut away before the rest is brought to the old size; 0.2 keeps 0.8-1.0. Images",
    )
    flip: float = per_lane(
        0.0,
        ge=0,
        le=1,
        description="probability that an image is mirrored left to right, such as 0.5; not true of digits and letters. Images",
    )
    rotate: float = per_lane(0.0, ge=0, le=180, description="largest rotation in degrees, such as 15. Images")
    translate: float = per_lane(0.0, ge=0, lt=1, description="largest shift along each axis as a share of it, such as 0.1. Images")
    zoom: float = per_lane(0.0, ge=0, lt=1, description="sizes from 1 - zoom to 1 + zoom of the image's own, such as 0.1. Images")
    shear: float = per_lane(0.0, ge=0, le=60, description="largest shear in degrees, such as 10. Images")
    color_jitter: float = per_lane(
        0.0,
        ge=0,
        le=1,
        description="largest change of brightness (in standard deviations of the standardised image) and of contrast (as a share), "
        "such as 0.2. Images",
    )
    erase: float = per_lane(
        0.0,
        ge=0,
        le=1,
        description="probability that a rectangle of 2% to 33% of an image is set to zero after all other changes (random erasing, "
        "Zhong et al., 2020), such as 0.2. Images",
    )
    token_mask: float = per_lane(
        0.0,
        ge=0,
        lt=1,
        description="probability that a token becomes the unknown one, such as 0.1 (word dropout); true while enough words are left. Text",
    )
    token_delete: float = per_lane(0.0, ge=0, lt=1, description="probability that a token is left out (Wei & Zou, 2019), such as 0.1. Text")
    token_swap: float = per_lane(
        0.0, ge=0, lt=1, description="probability that a token changes places with other such tokens of its row, such as 0.1. Text"
    )
    token_synonym: float = per_lane(
        0.0,
        ge=0,
        le=1,
        description="probability that a token which has synonyms (data.synonyms) becomes one of them (Wei & Zou, 2019), such as 0.2. Text",
    )
    token_insert: float = per_lane(
        0.0, ge=0, lt=1, description="probability that a random token of the row is put in after a token, such as 0.1. Text"
    )
