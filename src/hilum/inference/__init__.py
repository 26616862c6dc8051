"""Model and images -> logits and embeddings, in batches."""
