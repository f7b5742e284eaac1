import pytest

from moodwalk import errors


def test_all_is_sorted_and_complete():
    public = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert errors.__all__ == sorted(errors.__all__)
    assert sorted(public) == errors.__all__


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_every_error_is_one_of_ours_and_a_value_error(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.MoodwalkError)
    # a lost worker, a locked library: nobody's wrong value
    no_value = (errors.MoodwalkError, errors.WorkerError, errors.LibraryError)
    assert issubclass(kind, ValueError) == (kind not in no_value)


def test_warnings_are_user_warnings_and_no_errors():
    assert issubclass(errors.MoodwalkWarning, UserWarning)
    assert not issubclass(errors.MoodwalkWarning, errors.MoodwalkError)


def test_the_tree_in_the_docstring_names_every_error():
    for name in errors.__all__:
        if name.endswith("Error"):
            assert name in errors.__doc__
