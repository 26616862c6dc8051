"""What a model knows and looks at: embeddings, neighbours, projections, anomalies, heat maps."""
