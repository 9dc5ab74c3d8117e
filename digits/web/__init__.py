"""What draw.py serves: a page, answers to programs, a log of requests and its report."""
