import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import ConfigError
from moodwalk.models.convolution import _make_bases, choose_form, convolve_time

FORMS = ("direct", "frequency")


@st.composite
def shapes(draw, longest=130):
    n_frames = draw(st.integers(1, longest))
    kernel = 2 * draw(st.integers(0, 37)) + 1
    stride, gaits, joints = (draw(st.integers(1, most)) for most in (4, 3, 3))
    n_in, n_out = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**16))
    return (n_frames, gaits, joints, n_in), (kernel, n_in, n_out), stride, seed


def draw_arrays(x_shape, weight_shape, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    x, weight = (
        torch.randn(shape, dtype=dtype, generator=generator) for shape in (x_shape, weight_shape)
    )
    return x, weight


def convolve_by_taps(x, weight, stride):
    """What the convolution is by definition: one product for every tap."""
    half = len(weight) // 2
    padded = F.pad(x, (0, 0, 0, 0, 0, 0, half, half))
    return sum(
        padded[tap : tap + len(x) : stride] @ matrix for tap, matrix in enumerate(weight)
    )  # fmt: skip


def differentiate(convolve, x, weight, seed):
    """Values, and gradients of a random weighting of them."""
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    y = convolve(x, weight)
    generator = torch.Generator().manual_seed(seed + 1)
    dy = torch.randn(y.shape, dtype=torch.float64, generator=generator).to(y.dtype)
    return y.detach(), *torch.autograd.grad(y, (x, weight), dy)


def assert_close(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        scale = other.abs().max().clamp(min=1e-30)
        assert (one.to(other.dtype) - other).abs().max() <= tolerance * scale


def check_form(form, case, dtype, tolerance):
    x_shape, weight_shape, stride, seed = case
    x, weight = draw_arrays(x_shape, weight_shape, seed, torch.float64)
    x, weight = x.to(dtype), weight.to(dtype)
    found = differentiate(
        lambda a, b: convolve_time(a, b, stride=stride, form=form), x, weight, seed
    )
    expected = differentiate(
        lambda a, b: convolve_by_taps(a, b, stride), x.double(), weight.double(), seed
    )
    assert_close(found, expected, tolerance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str
)
@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=25)
@given(case=shapes())
def test_values_and_gradients_are_those_of_the_definition(form, dtype, tolerance, case):
    check_form(form, case, dtype, tolerance)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("n_frames", [75, 38, 19, 10, 2, 1])
@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_longer_than_the_walk_neither_crashes_nor_errs(form, n_frames, stride):
    # The library's own padding corrupts memory or gives a wrong gradient at these very shapes.
    check_form(form, ((n_frames, 1, 8, 32), (75, 32, 32), stride, 0), torch.float32, 1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("n_frames", "kernel", "stride"), [(7, 5, 1), (8, 3, 3), (3, 9, 2), (1, 5, 4), (6, 1, 2)]
)
def test_gradients_are_those_of_finite_differences(form, n_frames, kernel, stride):
    x, weight = draw_arrays((n_frames, 2, 2, 2), (kernel, 2, 3), 0, torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, b: convolve_time(a, b, stride=stride, form=form),
        (x.requires_grad_(), weight.requires_grad_()),
    )


def test_both_forms_agree_at_the_shapes_of_step():
    for n_frames, n_channels, stride in [(75, 32, 1), (75, 64, 2), (38, 64, 2), (240, 32, 1)]:
        x, weight = draw_arrays(
            (n_frames, 2, 16, n_channels), (75, n_channels, n_channels), 3, torch.float32
        )
        results = [
            differentiate(lambda a, b: convolve_time(a, b, stride=stride, form=form), x, weight, 0)  # noqa: B023
            for form in FORMS
        ]
        assert_close(*results, 1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wanted", ["x", "weight"])
def test_only_the_gradient_asked_for_is_computed(form, wanted):
    x, weight = draw_arrays((20, 1, 2, 3), (11, 3, 2), 0, torch.float64)
    one = x if wanted == "x" else weight
    one.requires_grad_()
    convolve_time(x, weight, stride=2, form=form).sum().backward()
    both = differentiate_sum(x.detach(), weight.detach())
    torch.testing.assert_close(one.grad, both[wanted])
    assert (weight if wanted == "x" else x).grad is None


def differentiate_sum(x, weight):
    x.requires_grad_(), weight.requires_grad_()
    gradients = torch.autograd.grad(convolve_by_taps(x, weight, 2).sum(), (x, weight))
    return dict(zip(("x", "weight"), gradients, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_arrays_that_are_not_contiguous_give_the_same(form):
    x, weight = draw_arrays((4, 3, 20, 2), (7, 2, 3), 0, torch.float64)
    x, weight = x.permute(2, 0, 1, 3), weight.flip(0)[:, :, :2]
    check = convolve_time(x.contiguous(), weight.contiguous(), form=form)
    torch.testing.assert_close(convolve_time(x, weight, form=form), check, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_inputs_stay_as_they_were(form):
    x, weight = draw_arrays((20, 2, 3, 4), (9, 4, 4), 0, torch.float32)
    before = x.clone(), weight.clone()
    differentiate(lambda a, b: convolve_time(a, b, stride=2, form=form), x, weight, 0)
    convolve_time(x, weight, form=form)
    assert torch.equal(x, before[0])
    assert torch.equal(weight, before[1])


def test_training_works_after_inference_has_filled_the_cache():
    _make_bases.cache_clear()
    case = (21, 1, 2, 2), (9, 2, 2), 1, 5
    x, weight = draw_arrays(case[0], case[1], 5, torch.float64)
    with torch.inference_mode():
        convolve_time(x, weight, form="frequency")
    check_form("frequency", case, torch.float64, 1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_mixed_precision_stays_near_full_precision_and_runs_backward(form):
    x, weight = draw_arrays((40, 2, 4, 8), (15, 8, 8), 0, torch.float32)
    exact = differentiate(lambda a, b: convolve_time(a, b, form=form), x, weight, 0)

    def convolve_mixed(a, b):
        with torch.autocast("cpu", torch.bfloat16):
            return convolve_time(a.bfloat16(), b, form=form)

    mixed = differentiate(convolve_mixed, x, weight, 0)
    assert_close([array.float() for array in mixed], exact, 0.02)


@pytest.mark.parametrize(("n_frames", "kernel", "stride"), [(9, 1, 3), (10, 3, 4), (3, 9, 5)])
def test_frames_and_taps_that_meet_nothing_learn_nothing(n_frames, kernel, stride):
    x, weight = draw_arrays((n_frames, 1, 1, 2), (kernel, 2, 2), 0, torch.float64)
    found = differentiate(
        lambda a, b: convolve_time(a, b, stride=stride, form="frequency"), x, weight, 0
    )
    expected = differentiate(lambda a, b: convolve_by_taps(a, b, stride), x, weight, 0)
    assert any((gradient == 0).all(dim=-1).any() for gradient in expected[1:])
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one == 0, other == 0)


def test_auto_takes_the_form_that_choose_form_names():
    for n_frames, kernel in [(75, 75), (75, 3)]:
        x, weight = draw_arrays((n_frames, 8, 16, 32), (kernel, 32, 32), 0, torch.float32)
        chosen = choose_form(n_frames, 8 * 16, (kernel, 32, 32), 1)
        expected = convolve_time(x, weight, form=chosen)
        assert torch.equal(convolve_time(x, weight), expected)


@pytest.mark.parametrize(
    ("n_frames", "n_channels", "stride"),
    [(75, 32, 1), (75, 64, 2), (240, 32, 1), (240, 64, 2), (120, 64, 2)],
)
def test_step_is_computed_in_the_frequency_domain(n_frames, n_channels, stride):
    shape = (75, n_channels, n_channels)
    assert choose_form(n_frames, 8 * 16, shape, stride) == "frequency"


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_short_kernels_and_accelerators_keep_the_direct_form(kernel):
    assert choose_form(75, 8 * 16, (kernel, 32, 32), 1) == "direct"
    assert choose_form(75, 8 * 16, (75, 32, 32), 1, "cuda") == "direct"


@pytest.mark.parametrize("kernel", [2, 74])
@pytest.mark.parametrize("form", ["auto", *FORMS])
def test_an_even_kernel_is_refused(form, kernel):
    with pytest.raises(ConfigError, match=f"odd number of taps; found {kernel}"):
        convolve_time(torch.zeros(8, 1, 1, 1), torch.zeros(kernel, 1, 1), form=form)


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match=r"'fast' is no form.*auto, direct, frequency"):
        convolve_time(torch.zeros(8, 1, 1, 1), torch.zeros(3, 1, 1), form="fast")
