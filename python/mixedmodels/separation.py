"""placeholder"""


def warn_about_separation(model): ...
