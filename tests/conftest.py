"""What all tests share."""

import os

# Tests run side by side; torch threads that wait for a core by spinning would make each of them many times slower.
os.environ["OMP_NUM_THREADS"] = "1"
