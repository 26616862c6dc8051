"""What stands between the network and a Predictor: connections, uploads, the queue, answers, metrics."""
