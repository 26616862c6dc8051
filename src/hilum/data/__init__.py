"""Where images, labels, patients and splits come together, and the predictions made of them."""
