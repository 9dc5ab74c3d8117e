"""The server of draw.py: page, predictions, request log and its report."""
