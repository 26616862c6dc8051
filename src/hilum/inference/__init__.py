"""Model + images -> logits, embeddings, in batches.

`hilum.inference.predict` and `hilum.inference.device` need torch, so nothing is imported here.
"""
