"""Ray: datasets answered row by row, by engines on one machine or many.

    import ray.data
    from flashlite import Flashlite
    from flashlite.ray import Ray, complete_dataset

    questions = ray.data.read_parquet("questions/")
    client = Flashlite("openai/gpt-4o", max_tokens=200)
    answers = await complete_dataset(
        questions, client, column="question", output="answers.parquet", engine=Ray(actors=4)
    )

`engine="ray"` of `batch`, which does the work, is there for everything that is no dataset.
"""

from ..batch import Ray, RayBatch
from .dataset import complete_dataset, complete_dataset_sync

__all__ = ["Ray", "RayBatch", "complete_dataset", "complete_dataset_sync"]
