"""Statistics, terms and descents of one's own, written here, outside of the package: each goes through all that Gram does."""

import math

import pytest
import torch

import gatys

LAYERS = {"conv1_1": 0.5, "conv2_1": 1.0}


class Moments(gatys.Statistic):
    """Means and mean squares of each channel."""

    name = "moments"

    def sums(self, features, weight=None):
        weight = torch.ones_like(features[:1, :1]) if weight is None else weight
        return torch.stack([(features * weight).sum(dim=(2, 3)), (features.square() * weight).sum(dim=(2, 3))], dim=1)

    def penalty(self, sums, target):
        return (sums - target).square().sum(dim=(1, 2))


class Sorted(gatys.Statistic):
    """The values of each channel in order, at a few quantiles: no sum over positions."""

    name = "sorted"
    additive = False

    def sums(self, features, weight=None):
        mass = features.shape[-2] * features.shape[-1]
        quantiles = torch.quantile(features.flatten(2), torch.linspace(0, 1, 5).to(features), dim=2)
        return mass * quantiles.movedim(0, -1)

    def penalty(self, sums, target):
        return (sums - target).square().sum(dim=(1, 2))


class Brightness(gatys.Term):
    """How far the mean of a picture is from a grey, by autograd."""

    name = "brightness"

    def of_pixels(self, image):
        return (image.mean(dim=(1, 2, 3)) - 0.8).square()


class Sparse(gatys.Term):
    """The mean absolute feature of two layers, weighted by how far down it lies, by autograd, tile by tile."""

    name = "sparse"
    layers = ("conv1_2", "conv2_2")

    def at(self, level, net, place):
        here = Sparse(self.weight)
        here.net, here.level = net, level
        return here

    def prepare(self, size):
        self.size = size

    def of_features(self, layer, features, part):
        rows, _ = part.owned(self.net.layers[layer])
        down = torch.arange(rows.start, rows.stop).to(features)[:, None]
        stride = self.net.layers[layer].stride
        count = self.net.layers[layer].channels * (self.size[0] // stride) * (self.size[1] // stride)
        return (features.abs() * (1 + down)).sum(dim=(1, 2, 3)) / count


class Steps:
    """A descent by the sign of the gradient."""

    setbacks = 0

    def __init__(self, image):
        self.best = self._trial = image
        self._lowest, self._rate = math.inf, 0.02

    def ask(self):
        return self._trial

    def tell(self, loss, gradient):
        if float(loss) < self._lowest:
            self.best, self._lowest = self._trial, float(loss)
        else:
            self._rate /= 2
        self._trial = (self.best - self._rate * gradient.sign()).clamp(0, 1)

    def lighter(self):
        return Steps(self.best)

    def state(self):
        numbers = {"lowest": self._lowest, "rate": self._rate}
        told = {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
        return {"best": self.best, "trial": self._trial} | told

    def restore(self, state):
        self.best, self._trial = state["best"], state["trial"]
        self._lowest, self._rate = float(state["lowest"]), float(state["rate"])


def picture(count, height, width, seed):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained:3", "average").double()


@pytest.fixture(scope="module")
def content(net):
    return gatys.extract_content(net, picture(2, 40, 52, 1), {"conv2_1": 1.0}, levels=2)


def style_of(net, statistic, **how):
    return gatys.extract_style(net, picture(1, 44, 36, 2), LAYERS, levels=2, statistic=statistic, **how)


def regions(net, statistic, **how):
    left = torch.zeros(40, 52)
    left[:, :20] = 1
    other = gatys.extract_style(net, picture(1, 32, 60, 3), {"conv2_2": 1.0}, levels=2, statistic=statistic, **how)
    return gatys.regional_style([(style_of(net, statistic, **how), left), (other, 1 - left)])


def slope(evaluate, image, direction, step=1e-7):
    """The derivative along a direction, by finite differences."""
    above, below = (evaluate(image + sign * step * direction)[0]["total"] for sign in (1, -1))
    return (above - below) / (2 * step)


def check_gradient(objective, image, tile=None):
    _, gradient = objective.evaluate(image, tile)
    direction = picture(image.shape[0], *image.shape[-2:], 9) - 0.5
    found = slope(lambda x: objective.evaluate(x, tile), image, direction)
    assert found == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("how", ["one style", "regions", "normalized"])
def test_a_statistic_of_ones_own(net, content, how, tile, level):
    statistic = Moments()
    style = (
        regions(net, statistic, normalize=False)
        if how == "regions"
        else style_of(net, statistic, normalize=how == "normalized")
    )
    objective = gatys.Objective(net, content=content, style=style, content_weight=0.3, style_weight=2.0, level=level)
    image = picture(2, 40 >> level, 52 >> level, 5)
    check_gradient(objective, image, tile)
    whole, tiled = objective.evaluate(image), objective.evaluate(image, 16)
    assert tiled[0] == pytest.approx(whole[0], rel=1e-9)
    assert torch.allclose(tiled[1], whole[1], rtol=1e-7, atol=1e-12)


def test_a_statistic_of_ones_own_may_work_in_float16():
    net = gatys.load_vgg("untrained:3")
    objective = gatys.Objective(net, style=style_of(net, Moments()))
    image = picture(1, 40, 52, 5).float()
    whole, gradient = objective.evaluate(image)
    objective.compute_in(torch.float16)
    low, found = objective.evaluate(image)
    assert low["style"] == pytest.approx(whole["style"], rel=0.05)
    assert torch.nn.functional.cosine_similarity(found.flatten(), gradient.flatten(), dim=0) > 0.99


def test_its_loss_is_the_formula(net):
    style = style_of(net, Moments(), normalize=False)
    image = picture(1, 40, 52, 5)
    losses, _ = gatys.Objective(net, style=style).evaluate(image)
    expected = 0.0
    for name, weight in LAYERS.items():
        own, theirs = (net(x, [name])[name] for x in (image, picture(1, 44, 36, 2)))
        for power in (1, 2):
            distance = (own**power).mean(dim=(2, 3)) - (theirs**power).mean(dim=(2, 3))
            expected += weight * float(distance.square().sum())
    assert losses["style"] == pytest.approx(expected, rel=1e-10)


def test_gram_written_by_hand_is_what_autograd_makes_of_it(net, content):
    class Plain(gatys.Statistic):
        name = "plain gram"

        def sums(self, features, weight=None):
            f = features.flatten(2)
            return (f if weight is None else f * weight.flatten(2)) @ f.transpose(1, 2)

        def penalty(self, sums, target):
            return (sums - target).square().sum(dim=(1, 2)) / (4 * target.shape[-1] ** 2)

        def magnitude(self, target):
            return target.square().mean(dim=(1, 2))

    image = picture(2, 40, 52, 5)
    for make in (style_of, regions):
        (mine, gradient), (theirs, same) = (
            gatys.Objective(net, content=content, style=make(net, statistic)).evaluate(image, 16)
            for statistic in (Plain(), "gram")
        )
        assert mine == pytest.approx(theirs, rel=1e-9) and torch.allclose(gradient, same, rtol=1e-7, atol=1e-12)


def test_a_run_with_a_statistic_of_ones_own_comes_nearer(content, net):
    style = style_of(net, Moments())
    result = gatys.optimize(net, content=content, style=style, steps=[6, 4])
    assert result.history[-1].style < 0.5 * result.history[-6].style
    assert result.image.shape == (2, 3, 40, 52)


def test_a_statistic_that_does_not_add_up_is_refused_in_tiles(net, content):
    statistic = Sorted()
    style = style_of(net, statistic)
    objective = gatys.Objective(net, content=content, style=style)
    image = picture(2, 40, 52, 5)
    check_gradient(objective, image)
    with pytest.raises(
        gatys.InputError, match="tile: 'sorted' looks at all positions at once, which tiles cannot, got 16"
    ):
        objective.evaluate(image, 16)
    with pytest.raises(gatys.InputError, match="looks at all positions at once.*give None"):
        style_of(net, statistic, tile=16)
    with pytest.raises(gatys.InputError, match="of one picture at once, got 2 pictures to average; give one"):
        gatys.extract_style(net, picture(2, 40, 52, 1), LAYERS, statistic=statistic)
    with pytest.raises(gatys.InputError, match="tile: 'sorted' looks at"):
        gatys.optimize(net, content=content, style=style, steps=2, tile=16)
    result = gatys.optimize(net, content=content, style=style, steps=[4, 2], memory=1)  # whole, however little there is
    assert result.history[-1].style < result.history[-4].style


def test_it_is_not_cut_into_tiles_when_memory_runs_out(net, content, monkeypatch):
    def full(self, *args, **rest):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(gatys.Objective, "terms", full)
    with pytest.raises(gatys.OutOfMemory, match="in one piece, and what is compared looks at all positions at once"):
        gatys.optimize(net, content=content, style=style_of(net, Sorted()), steps=[2, 2])


def test_a_statistic_that_does_not_add_up_is_refused_on_many_processes():
    with pytest.raises(gatys.InputError, match="so that 3 processes cannot share a picture out; start one process"):
        gatys.targets.statistics.check_whole_picture(Sorted(), None, 3)


def test_it_sees_each_layer_whole_where_the_first_block_would_pass_in_bands(net, monkeypatch):
    import gatys.passes.bands

    monkeypatch.setattr(gatys.passes.bands, "values_in_band", lambda device: 0)
    monkeypatch.setattr(gatys.passes.bands, "_FEWEST_ROWS", 6)
    seen = []

    class Counting(Sorted):
        def sums(self, features, weight=None):
            seen.append(tuple(features.shape[-2:]))
            return super().sums(features, weight)

    style = gatys.extract_style(net, picture(1, 44, 36, 2), ["conv1_1"], statistic=Counting())
    gatys.Objective(net, style=style).evaluate(picture(1, 40, 52, 5))
    assert set(seen) == {(44, 36), (40, 52)}


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        (
            "grams",
            "expected one of gram, covariance, moments, wasserstein, across, crowsonkb, spst or a gatys.Statistic, got 'grams'",
        ),
        (5, "got 5"),
        (Moments, "got <class"),
    ],
)
def test_no_statistic_is_refused(net, statistic, said):
    with pytest.raises(gatys.InputError, match="statistic: .*" + said):
        style_of(net, statistic)


def test_styles_of_two_statistics_do_not_go_together(net, tmp_path):
    with pytest.raises(gatys.InputError, match="one is of the statistic 'moments', another of 'gram'; extract both"):
        gatys.blend_styles([(style_of(net, Moments()), 1), (style_of(net, "gram"), 1)])
    mixed = gatys.blend_styles([(style_of(net, Moments()), 1), (style_of(net, Moments()), 1)])
    assert mixed.statistic.name == "moments"
    with pytest.raises(
        gatys.InputError,
        match="a style file holds one of the statistics gram, .* got another, Moments.'moments'.; extract",
    ):
        mixed.save(tmp_path / "a.safetensors")


def test_a_statistic_without_its_two_methods_says_so():
    class Half(gatys.Statistic):
        def sums(self, features, weight=None):
            return features

    for kind in (gatys.Statistic, Half):
        with pytest.raises(TypeError, match="abstract.*penalty"):
            kind()


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("style", [style_of, regions])
def test_terms_of_ones_own(net, content, style, tile, level):
    terms = [Brightness(3.0), Sparse(0.2)]
    objective = gatys.Objective(net, content=content, style=style(net, "gram"), terms=terms, level=level, tv_weight=0.1)
    image = picture(2, 40 >> level, 52 >> level, 5)
    check_gradient(objective, image, tile)
    whole, tiled = objective.evaluate(image), objective.evaluate(image, 16)
    assert tiled[0] == pytest.approx(whole[0], rel=1e-9)
    assert torch.allclose(tiled[1], whole[1], rtol=1e-7, atol=1e-12)
    without, _ = gatys.Objective(net, content=content, style=style(net, "gram"), level=level, tv_weight=0.1).evaluate(
        image
    )
    bright = float((image.mean(dim=(1, 2, 3)) - 0.8).square().sum())
    sparse = 0.0
    for name in Sparse.layers:
        features = net(image, [name])[name]
        down = 1 + torch.arange(features.shape[2]).to(features)[:, None]
        sparse += float((features * down).mean(dim=(1, 2, 3)).sum())
    assert whole[0]["total"] - without["total"] == pytest.approx(3 * bright + 0.2 * sparse, rel=1e-6)


def test_a_run_tells_of_terms_of_ones_own(net, content):
    result = gatys.optimize(net, content=content, terms=[Brightness(50.0), Sparse(1e-3)], steps=[8, 4])
    told = result.history[-1].layers
    assert {"brightness", "sparse conv1_2", "sparse conv2_2", "content conv2_1"} == set(told)
    assert told["brightness"] < result.history[4].layers["brightness"]
    shares = gatys.gradient_shares(
        gatys.Objective(net, content=content, terms=[Brightness(5.0)]), picture(2, 40, 52, 5)
    )
    assert shares.keys() == {"content conv2_1", "brightness"} and sum(shares.values()) == pytest.approx(1)


def test_terms_that_cannot_go_together_are_refused(net, content):
    for terms in ([Brightness(1.0), Brightness(2.0)], [type("Tv", (Brightness,), {"name": "tv"})()]):
        with pytest.raises(gatys.InputError, match="is the name of two terms; give one of them another name"):
            gatys.Objective(net, content=content, terms=terms)
    with pytest.raises(gatys.InputError, match="weight of the term brightness: expected a finite number of at least 0"):
        gatys.Objective(net, content=content, terms=[Brightness(-1.0)])


def test_a_term_without_its_method_says_so(net, content):
    class Nothing(gatys.Term):
        layers = ("conv1_1",)

    with pytest.raises(NotImplementedError, match="reads layers, but has no of_features"):
        gatys.Objective(net, content=content, terms=[Nothing()]).evaluate(picture(2, 40, 52, 5))


def test_a_descent_of_ones_own(net, content, tmp_path):
    style = style_of(net, "gram")
    how = {"content": content, "style": style, "steps": [8, 4], "optimizer": Steps, "init": "noise"}
    result = gatys.optimize(net, **how)
    assert len(result.history) == 12 and result.history[-1].total < 0.9 * result.history[4].total

    def stop(progress):
        if progress.step == 6:
            raise StopIteration

    state = {"checkpoint": tmp_path / "run.safetensors", "checkpoint_every": 0}
    assert len(gatys.optimize(net, **how, **state, callback=stop).history) == 6
    again = gatys.optimize(net, **how, **state)
    assert torch.equal(again.image, result.image) and again.history == result.history


def test_no_descent_is_refused(net, content):
    with pytest.raises(gatys.InputTypeError, match="gives a gatys.Descent, got list without best, setbacks, ask"):
        gatys.optimize(net, content=content, optimizer=lambda image: [], steps=2)
    with pytest.raises(
        gatys.InputError, match="learning_rate: expected none beside an optimizer of one's own, got 0.1"
    ):
        gatys.optimize(net, content=content, optimizer=Steps, learning_rate=0.1)


def test_inference_mode_is_no_hindrance(net, content):
    """ComfyUI runs nodes in it."""
    with torch.inference_mode():
        style = style_of(net, Moments())
        objective = gatys.Objective(net, content=content, style=style, terms=[Brightness(3.0), Sparse(0.2)])
        losses, gradient = objective.evaluate(picture(2, 40, 52, 5).clone(), 16)
    again, same = gatys.Objective(
        net, content=content, style=style_of(net, Moments()), terms=[Brightness(3.0), Sparse(0.2)]
    ).evaluate(picture(2, 40, 52, 5), 16)
    assert losses == again and torch.equal(gradient, same)
