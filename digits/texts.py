"""How names and probabilities are written: on a terminal, in drawings, in tables."""
import unicodedata


def columns(text: str) -> int:
    """The columns that `text` takes on a terminal: two for each Korean letter."""
    if text.isascii():  # else ten thousand names take half a second
        return len(text)
    return sum(0 if unicodedata.combining(letter) else
               2 if unicodedata.east_asian_width(letter) in 'WF' else 1 for letter in text)


def percent(probability: float) -> str:
    """A probability in [0, 1] with one decimal place, '99.9%' at most: no network is certain.

    The one rule wherever a probability is shown; page.js has the same for draw.py's page.
    """
    return f'{min(probability, 0.999):.1%}'
