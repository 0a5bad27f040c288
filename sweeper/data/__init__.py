"""From a name or a file to three prepared parts; scikit-learn and pandas are imported where they are used."""

from sweeper.data.dataset import Dataset, Part
from sweeper.data.prepare import prepare
from sweeper.data.preprocess import Preprocessing

__all__ = ["Dataset", "Part", "Preprocessing", "prepare"]
