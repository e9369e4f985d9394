"""What can go wrong in the lab itself, apart from the program that it drives."""


class LabError(RuntimeError):
    """The lab could not do what it was told; the message says why and, where there is a way out, which."""


class CannotTest(LabError):
    """This machine lacks what the verb needs (namespaces, netem). Tests skip on it, and count."""
