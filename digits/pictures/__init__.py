"""Any picture -> 28 x 28 as MNIST has it; several digits on a page."""
