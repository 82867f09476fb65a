"""Ray: answer the rows of a dataset with engines on one machine or many.

    import ray.data
    from flashlite import Flashlite
    from flashlite.ray import Ray, complete_dataset

    questions = ray.data.read_parquet("questions/")
    client = Flashlite("openai/gpt-4o", max_tokens=200)
    answers = await complete_dataset(
        questions, client, column="question", output="answers.parquet", engine=Ray(actors=4)
    )

It is built on `batch` with `engine="ray"`, which also takes requests that are not in a dataset.
"""

from ..batch import Ray, RayBatch
from .dataset import complete_dataset, complete_dataset_sync

__all__ = ["Ray", "RayBatch", "complete_dataset", "complete_dataset_sync"]
