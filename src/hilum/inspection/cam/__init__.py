"""Heat maps: where a network looks, and the exam that a map has to pass before it is believed."""
