"""Published settings, each value with the place that it was read in.

Sources were read at the commits named. Where one leaves something to a library, that library's default is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import UnknownPreset
from ..network.download import imagenet_source, paper_source
from .preset import STRETCH, Preset

WEIGHTS_FROM: Mapping[str, str] = MappingProxyType(
    {
        "vgg_normalised.pth": paper_source().url,
        # download_models.sh:2 of leongatys/PytorchNeuralStyleTransfer
        "vgg_conv.pth": "https://bethgelab.org/media/uploads/pytorch_models/vgg_conv.pth",
        # models/download_models.py:10 of ProGamerGov/neural-style-pt
        "vgg19-d01eb7cb.pth": "https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
    }
)
"""The addresses where authors publish the files that presets need, by the files' names."""


class Presets(Mapping[str, Preset]):
    """The presets by name; an unknown name is refused with those there are."""

    def __init__(self, *presets: Preset):
        self._presets = {preset.name: preset for preset in presets}

    def __getitem__(self, name: str) -> Preset:
        try:
            return self._presets[name]
        except (KeyError, TypeError):
            raise UnknownPreset(f"preset: expected one of {', '.join(self._presets)}, got {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._presets)

    def __len__(self) -> int:
        return len(self._presets)

    def __repr__(self) -> str:
        return f"Presets({', '.join(self._presets)})"


def weights_from(weights: str) -> str:
    """Give the address where the weights of a preset are published."""
    return imagenet_source().url if weights == "imagenet" else WEIGHTS_FROM[weights]


def _preset(name: str, title: str, remark: str, source: str, **fields: tuple[Any, str]) -> Preset:
    """Make a preset of a value and the place it was read in for each field."""
    values: dict[str, Any] = {
        field: MappingProxyType(value) if isinstance(value, dict) else value for field, (value, _) in fields.items()
    }
    sources = MappingProxyType({field: place for field, (_, place) in fields.items()})
    return Preset(name=name, title=title, remark=remark, source=source, sources=sources, **values)


def _first_of_each_block(*weights: float) -> dict[str, float]:
    return {f"conv{block}_1": weight for block, weight in enumerate(weights, start=1)}


_FIFTHS = _first_of_each_block(0.2, 0.2, 0.2, 0.2, 0.2)
_ONES = _first_of_each_block(1.0, 1.0, 1.0, 1.0, 1.0)
_IN_PLACE = "; torchvision's ReLU(inplace=True) overwrites what is stored under the convolution's name"
_TORCH_LBFGS = "default of torch.optim.LBFGS"

presets = Presets(
    _preset(
        "gatys2016",
        "the paper",
        "Half sums instead of means, so that the content weighs more the larger the picture is. Steps and L-BFGS's memory "
        "are not in the paper: they are those of the first author's own code.",
        "Gatys, Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks, CVPR 2016",
        weights=("vgg_normalised.pth", "section 2: filters scaled to a mean activation of 1; as converted for AdaIN"),
        preprocessing=("own", "section 2; the first layer of the file has it"),
        pooling=("average", "section 2"),
        responses=("relu", "equations 2 and 6, derivatives that are 0 where a response is not above 0"),
        content_layers=({"conv4_2": 1.0}, "section 3"),
        style_layers=(_FIFTHS, "section 3: w_l = 1/5"),
        content_loss=("sum (F-P)^2 / 2", "equation 1"),
        style_loss=("sum (G-A)^2 / (4 N^2 M^2)", "equation 4"),
        tv_loss=("none", "section 2.3: no image prior"),
        content_weight=(1.0, "section 3: only alpha / beta is given"),
        style_weight=(1e3, "section 3: alpha / beta = 1e-3 (Figure 3 B; 8e-4 in C, 5e-3 in D, 5e-4 in E and F)"),
        tv_weight=(0.0, "section 2.3"),
        init=("noise", "section 3.3: white noise"),
        optimizer=("lbfgs", "section 2.3"),
        learning_rate=(1.0, "not in the paper; " + _TORCH_LBFGS),
        steps=(500, "not in the paper; leongatys/PytorchNeuralStyleTransfer, NeuralStyleTransfer.ipynb, In [9]"),
        history_size=(100, "not in the paper; the same cell, " + _TORCH_LBFGS),
        size=(512, "section 4: about 512 x 512 pixels"),
        edge=("longer", "section 4"),
        style_edge=(STRETCH, "section 2.3: the style is resized to the size of the content"),
    ),
    _preset(
        "udacity",
        "the course notebook",
        "Bare Gram matrices, so that the style weighs more the larger the picture is: four times at twice the size.",
        "udacity/deep-learning-v2-pytorch, style-transfer/Style_Transfer_Solution.ipynb @c9404fc8",
        weights=("imagenet", "In [2]"),
        preprocessing=("imagenet", "In [4], load_image"),
        pooling=("max", "In [3], its output: (4) MaxPool2d"),
        responses=("relu", "In [9]" + _IN_PLACE),
        content_layers=({"conv4_2": 1.0}, "In [9], In [13]"),
        style_layers=(_first_of_each_block(1.0, 0.75, 0.2, 0.2, 0.2), "In [12]"),
        content_loss=("mean (F-P)^2", "In [13]"),
        style_loss=("mean (G-A)^2 / (N M)", "In [13], and gram_matrix in the cell after In [9]"),
        tv_loss=("none", "In [13]"),
        content_weight=(1.0, "In [12]"),
        style_weight=(1e6, "In [12]"),
        tv_weight=(0.0, "In [13]"),
        init=("content", "In [11]"),
        optimizer=("adam", "In [13]"),
        learning_rate=(0.003, "In [13]; what it moves is the normalised picture"),
        steps=(2000, "In [13]"),
        history_size=(100, "Adam has none; " + _TORCH_LBFGS),
        size=(400, "In [4], max_size"),
        edge=("shorter, at most as long as the longer was", "In [4]: Resize(number) sets the shorter edge"),
        style_edge=(STRETCH, "In [5]"),
    ),
    _preset(
        "leongatys-pytorch",
        "the first author's notebook",
        "Layers weigh as 1/N^4 instead of the paper's 1/N^2: fine texture counts more.",
        "leongatys/PytorchNeuralStyleTransfer, NeuralStyleTransfer.ipynb @be6c8e2b",
        weights=("vgg_conv.pth", "In [5]; download_models.sh:2"),
        preprocessing=("caffe", "In [4]"),
        pooling=("max", "In [2]"),
        responses=("relu", "In [2]"),
        content_layers=({"conv4_2": 1.0}, "In [8]: r42"),
        style_layers=(_first_of_each_block(*(1e3 / n**2 for n in (64, 128, 256, 512, 512))), "In [8]: 1e3/n**2"),
        content_loss=("mean (F-P)^2", "In [8]: nn.MSELoss"),
        style_loss=("mean (G/M - A/M)^2", "In [3]"),
        tv_loss=("none", "In [9]"),
        content_weight=(1.0, "In [8]: 1e0"),
        style_weight=(1.0, "In [8]: the layers' weights are all there is"),
        tv_weight=(0.0, "In [9]"),
        init=("content", "In [6]"),
        optimizer=("lbfgs", "In [9]"),
        learning_rate=(1.0, "In [9], " + _TORCH_LBFGS),
        steps=(500, "In [9], max_iter, a count of evaluations"),
        history_size=(100, "In [9], " + _TORCH_LBFGS),
        size=(512, "In [4]"),
        edge=("shorter", "In [4]: Scale(number) sets the shorter edge"),
        style_edge=("shorter", "In [4], In [6]"),
    ),
    _preset(
        "neural-style",
        "jcjohnson's Torch program",
        "Pixels from 0 to 256. Its smoothness is in the gradient but not in the loss that it prints; here it is in both.",
        "jcjohnson/neural-style, neural_style.lua @07c4b829",
        weights=("vgg19-d01eb7cb.pth", ":43, VGG_ILSVRC_19_layers.caffemodel; as its author converted it for PyTorch"),
        preprocessing=("caffe-256", ":420-424"),
        pooling=("max", ":41"),
        responses=("relu", ":48-49"),
        content_layers=({"conv4_2": 1.0}, ":48"),
        style_layers=(_ONES, ":49, :143"),
        content_loss=("mean (F-P)^2", ":458, :464"),
        style_loss=("mean (G/NM - A/NM)^2", ":534, :544"),
        tv_loss=("sum d^2 / 2, corners", ":582-597"),
        content_weight=(5.0, ":22"),
        style_weight=(1e2, ":23"),
        tv_weight=(1e-3, ":24"),
        init=("mean", ":27, :203"),
        optimizer=("lbfgs", ":29"),
        learning_rate=(1.0, ":223-229 leaves it to optim.lbfgs, whose default is 1"),
        steps=(1000, ":25, :225"),
        history_size=(100, ":31 leaves it to optim.lbfgs, whose default is 100"),
        size=(512, ":17"),
        edge=("longer", ":17, :60"),
        style_edge=("longer", ":39, :63, :68"),
    ),
    _preset(
        "neural-style-pt",
        "neural-style in PyTorch",
        "As neural-style, but pixels go from 0 to 255, and the smoothness is a sum of absolute differences.",
        "ProGamerGov/neural-style-pt, neural_style.py @72514050",
        weights=("vgg19-d01eb7cb.pth", ":42; models/download_models.py:10"),
        preprocessing=("caffe", ":336-344"),
        pooling=("max", ":41"),
        responses=("relu", ":48-49, :136-150"),
        content_layers=({"conv4_2": 1.0}, ":48"),
        style_layers=(_ONES, ":49, :131"),
        content_loss=("mean (F-P)^2", ":423, :429"),
        style_loss=("mean (G/NM - A/NM)^2", ":461, :470"),
        tv_loss=("sum |d|", ":484-486"),
        content_weight=(5.0, ":21"),
        style_weight=(1e2, ":22"),
        tv_weight=(1e-3, ":25"),
        init=("mean", ":27, :200"),
        optimizer=("lbfgs", ":29"),
        learning_rate=(1.0, ":270-277, " + _TORCH_LBFGS + "; :30 is Adam's"),
        steps=(1000, ":26, :271"),
        history_size=(100, ":31"),
        size=(512, ":17"),
        edge=("longer", ":339"),
        style_edge=("longer", ":53, :75"),
    ),
    _preset(
        "pytorch-tutorial",
        "the tutorial of pytorch.org",
        "The first five convolutions, read before their rectifiers; the content on conv2_2, so that details stay.",
        "pytorch/tutorials, advanced_source/neural_style_tutorial.py @0a7e6866",
        weights=("imagenet", "cnn = models.vgg19(pretrained=True).features"),
        preprocessing=("imagenet", "cnn_normalization_mean, cnn_normalization_std"),
        pooling=("max", "get_style_model_and_losses keeps torchvision's MaxPool2d"),
        responses=("conv", "get_style_model_and_losses: losses follow the convolutions, ReLU(inplace=False)"),
        content_layers=({"conv2_2": 1.0}, "content_layers_default: conv_4"),
        style_layers=(
            dict.fromkeys(("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"), 1.0),
            "style_layers_default: conv_1 to conv_5",
        ),
        content_loss=("mean (F-P)^2", "ContentLoss.forward"),
        style_loss=("mean (G/NM - A/NM)^2", "gram_matrix, StyleLoss.forward"),
        tv_loss=("none", "run_style_transfer"),
        content_weight=(1.0, "run_style_transfer, content_weight"),
        style_weight=(1e6, "run_style_transfer, style_weight"),
        tv_weight=(0.0, "run_style_transfer"),
        init=("content", "input_img = content_img.clone()"),
        optimizer=("lbfgs", "get_input_optimizer"),
        learning_rate=(1.0, "get_input_optimizer, " + _TORCH_LBFGS),
        steps=(300, "run_style_transfer, num_steps, a count of evaluations"),
        history_size=(100, "get_input_optimizer, " + _TORCH_LBFGS),
        size=(512, "imsize with a GPU; 128 without"),
        edge=("shorter", "loader: Resize(number) sets the shorter edge"),
        style_edge=(STRETCH, "the assert after image_loader: it refuses other sizes"),
    ),
    _preset(
        "gordicaleksa",
        "Aleksa Gordić's PyTorch program",
        "torchvision's filters are given pixels from 0 to 255; the paper's weighting of layers.",
        "gordicaleksa/pytorch-neural-style-transfer, neural_style_transfer.py @a244dc61",
        weights=("imagenet", "models/definitions/vgg_nets.py:169"),
        preprocessing=("imagenet-255", "utils/utils.py:12-13, :45-49"),
        pooling=("max", "models/definitions/vgg_nets.py:169, :187-198"),
        responses=("relu", "models/definitions/vgg_nets.py:171-172, :195-198" + _IN_PLACE),
        content_layers=({"conv4_2": 1.0}, "models/definitions/vgg_nets.py:176"),
        style_layers=(_FIFTHS, ":25, a mean; models/definitions/vgg_nets.py:171, :178-179"),
        content_loss=("mean (F-P)^2", ":19"),
        style_loss=("sum (G/NM - A/NM)^2", ":24; utils/utils.py:130-137"),
        tv_loss=("sum |d|", "utils/utils.py:140-142"),
        content_weight=(1e5, ":147, :160"),
        style_weight=(3e4, ":148, :160"),
        tv_weight=(1.0, ":149, :160"),
        init=("content", ":153, :66-67"),
        optimizer=("lbfgs", ":151, :106"),
        learning_rate=(1.0, ":106, " + _TORCH_LBFGS),
        steps=(1000, ":89; it keeps the picture of evaluation 1000, utils/utils.py:78"),
        history_size=(100, ":106, " + _TORCH_LBFGS),
        size=(400, ":145"),
        edge=("height", "utils/utils.py:26-30"),
        style_edge=("height", ":60"),
    ),
    _preset(
        "crowsonkb",
        "Katherine Crowson's PyTorch program",
        "Distances of normal distributions in the place of Gram matrices, a picture averaged over the steps, and scales from "
        "128 pixels up. The program has a scale at every factor of the root of 2, and carries Adam's moments from one to the next; "
        "here they are halves, and each begins anew.",
        "crowsonkb/style-transfer-pytorch, style_transfer/style_transfer.py @e7e2c713",
        weights=("imagenet", "VGGFeatures.__init__: VGG19_Weights.IMAGENET1K_V1"),
        preprocessing=("imagenet", "VGGFeatures.__init__, self.normalize"),
        pooling=("max", "VGGFeatures.__init__, pooling='max'"),
        responses=(
            "relu",
            "StyleTransfer.__init__: layers 1, 6, 11, 20, 29 and 22 of torchvision's list are rectifiers",
        ),
        content_layers=({"conv4_2": 1.0}, "StyleTransfer.__init__, content_layers = [22]"),
        style_layers=(
            _first_of_each_block(*(w / 341 for w in (256, 64, 16, 4, 1))),
            "StyleTransfer.__init__, style_weights, divided by their sum",
        ),
        content_loss=("mean (F-P)^2", "ContentLossMSE"),
        style_loss=("W2^2 / N", "StyleLossW2; sqrtm.py"),
        tv_loss=("mean d^2, nine points", "TVLoss, of the picture before it is normalised"),
        content_weight=(0.015, "stylize, content_weight"),
        style_weight=(1.0, "stylize: the layers' weights are all there is"),
        tv_weight=(2.0, "stylize, tv_weight"),
        init=("content", "stylize, init"),
        optimizer=("adam", "stylize, optimizer"),
        learning_rate=(0.02, "stylize, step_size"),
        steps=(1000, "stylize, initial_iterations"),
        history_size=(100, "Adam has none; " + _TORCH_LBFGS),
        size=(512, "stylize, end_scale"),
        edge=("longer", "size_to_fit(..., scale_up=True)"),
        style_edge=("longer, never enlarged", "stylize: size_to_fit of the style with style_scale_fac = 1"),
        padding=("replicate-first", "VGGFeatures._change_padding_mode, of self.model[0] alone"),
        moves=("picture", "stylize: optim.Adam([self.image]), which the model normalises"),
        scales=(("longer", 255), "stylize, min_scale = 128; gen_scales"),
        finer_steps=((500,), "stylize, iterations"),
        average=(0.99, "stylize, avg_decay; EMA"),
    ),
    _preset(
        "spst",
        "Scaling Painting Style Transfer",
        "leongatys-pytorch, with means and deviations of the channels beside their Gram matrices, from coarse to fine, for pictures "
        "as large as they are. Its fast way; L-BFGS remembers 10 steps in place of 100 on finer scales, here 100 on all.",
        "bgalerne/scaling_painting_style_transfer, spst.py @d39643c4",
        weights=("vgg_conv.pth", "vgg.load_state_dict"),
        preprocessing=("caffe", "vgg_gatys.py, prep"),
        pooling=("max", "vgg_gatys.py, VGG.__init__"),
        responses=("relu", "vgg_gatys.py, VGG.forward"),
        content_layers=({"conv4_2": 1.0}, "content_layers: r42"),
        style_layers=(
            _first_of_each_block(*(1e3 / n**2 for n in (64, 128, 256, 512, 512))),
            "weights_Gram_matrices: 1e3/n**2",
        ),
        content_loss=("mean (F-P)^2", "vgg_by_blocks.py, global_content_plus_Gram_means_stds_loss_with_gradient"),
        style_loss=(
            "mean (G/M - A/M)^2 + 10 N^2 (mean (m-m')^2 + mean (s-s')^2)",
            "wmeanstd = 1000, weights_layers_means; vgg_by_blocks.py, global_Gram_matrices_means_and_stds",
        ),
        tv_loss=("none", "vgg_by_blocks.py"),
        content_weight=(1.0, "content_weights: 1e0"),
        style_weight=(1.0, "the layers' weights are all there is"),
        tv_weight=(0.0, "vgg_by_blocks.py"),
        init=("content", "opt_img = content_image.clone()"),
        optimizer=("lbfgs", "optim.LBFGS"),
        learning_rate=(1.0, "optim.LBFGS, " + _TORCH_LBFGS),
        steps=(600, "iterations_mode = 'spst-fast', max(600//(3**s), 30), a count of evaluations"),
        history_size=(100, "history_sizes, of the coarsest scale"),
        size=(
            1023,
            "minimal_scale_threshold: the largest picture of one scale; it leaves every picture as large as it is",
        ),
        edge=("own", "content_img_pil_hr"),
        style_edge=("shorter, where it is a tenth longer", "rescale_mode = 'downscale_style'"),
        scales=(("shorter", 1023), "minimal_scale_threshold"),
        finer_steps=((200, 66, 30), "iterations_mode = 'spst-fast', max(600//(3**s), 30)"),
    ),
)
"""The settings of the paper and of well-known implementations, {name: Preset}."""
