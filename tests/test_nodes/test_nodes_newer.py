"""What newer hosts than the stand-in's ask of the nodes: a value's tensors, free memory by the patcher, names not listed."""

import sys
from types import SimpleNamespace

import pytest
import torch
from pictures import host_picture as picture

LOAD, CONTENT, STYLE = "GatysLoadVGG19", "GatysExtractContentFeatures", "GatysExtractStyleGrams"
HOOK = "_comfy_cache_tensors"
"""The name that ComfyUI looks for (comfy_execution/caching.py, `RAMPressureCache.ram_release`)."""


def weight(value):
    """The bytes that the host counts: each storage once."""
    storages = [tensor.untyped_storage() for tensor in getattr(value, HOOK)()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.fixture(scope="module")
def vgg19(standin):
    return standin.run(LOAD, weights="untrained")[0]


def test_contents_and_styles_weigh_what_their_tensors_do(standin, vgg19):
    image = picture(1)
    (content,) = standin.run(CONTENT, vgg19=vgg19, image=image, levels=1)
    (style,) = standin.run(STYLE, vgg19=vgg19, image=picture(2), levels=1)
    target = content.target
    held = [target.image, *target.features[0].values()]
    assert weight(content) == sum(tensor.untyped_storage().nbytes() for tensor in held) > image.nbytes
    grams = sum(gram.nbytes for gram in style.values[0].values())
    assert grams <= weight(style) < grams + 1000  # and its few colours
    mask = torch.ones(1, 40, 48)
    (region,) = standin.run("GatysStyleRegion", style=style, mask=mask)
    assert weight(region) == weight(style) + mask.nbytes
    (both,) = standin.run("GatysStyleRegion", style=style, mask=mask, others=region)
    assert weight(both) == weight(style) + 2 * mask.nbytes  # the style that they share counts once


def test_free_memory_is_what_the_patcher_says_where_it_does(standin, monkeypatch):
    def network(device, **told):
        return SimpleNamespace(patcher=SimpleNamespace(load_device=torch.device(device), **told))

    free = standin.host.free_memory
    monkeypatch.setattr(standin.mm, "free", 5000)
    monkeypatch.setattr(standin.mm, "extra_reserved_memory", lambda: 1000)
    assert free(network("cpu")) == 5000
    assert free(network("cpu", get_free_memory=lambda device: 6000)) == 6000
    assert free(network("cpu", get_free_memory=lambda device: 2**62)) < 2**62  # main memory has limits of its own
    # on a card the patcher counts what gives way, and the card itself does not
    assert free(network("cuda", get_free_memory=lambda device: 2**62)) == 2**62 - 1000
    assert free(network("cuda", get_free_memory=lambda device: 500)) == 0


@pytest.mark.parametrize(("node_id", "widget"), [(LOAD, "weights"), ("GatysLoadStyle", "name")])
def test_names_of_files_that_are_not_listed_come_to_the_node(standin, node_id, widget):
    """Naming an input in `validate_inputs` keeps the host from checking it against its list."""
    node = standin.nodes[node_id]
    assert node.validate_inputs(**{widget: "gone.safetensors"}) is True
    with pytest.raises(ValueError, match=rf"^{widget}: expected .*gone.safetensors"):
        standin.run(node_id, **{widget: "gone.safetensors"})


def test_the_hosts_name_is_put_on_our_values_by_the_nodes_alone(standin):
    sockets = sys.modules[f"{standin.pack.__name__}.nodes.sockets"]
    assert sockets.SIZED_BY == HOOK
    import gatys

    assert not hasattr(gatys.StyleTarget, HOOK)
