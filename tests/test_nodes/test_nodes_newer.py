"""What newer hosts than the stand-in's ask of the nodes: a value's tensors, free memory by the patcher, names not listed."""

import sys
from types import SimpleNamespace

import pytest
import search_words
import torch
from pictures import host_picture as picture

OPTIMIZE = "GatysOptimize"
LOAD, CONTENT, STYLE = "GatysLoadVGG19", "GatysExtractContentFeatures", "GatysExtractStyleGrams"
HOOK = "_comfy_cache_tensors"
"""The name that ComfyUI looks for (comfy_execution/caching.py, `RAMPressureCache.ram_release`)."""


def weight(value):
    """The bytes that the host counts: each storage once."""
    storages = [tensor.untyped_storage() for tensor in getattr(value, HOOK)()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.fixture(scope="module")
def vgg19(newer):
    return newer.run(LOAD, weights="untrained")[0]


def test_contents_and_styles_weigh_what_their_tensors_do(newer, vgg19):
    image = picture(1)
    (content,) = newer.run(CONTENT, vgg19=vgg19, image=image, levels=1)
    (style,) = newer.run(STYLE, vgg19=vgg19, image=picture(2), levels=1)
    target = content.target
    held = [target.image, *target.features[0].values()]
    assert weight(content) == sum(tensor.untyped_storage().nbytes() for tensor in held) > image.nbytes
    grams = sum(gram.nbytes for gram in style.values[0].values())
    assert grams <= weight(style) < grams + 1000  # and its few colours
    mask = torch.ones(1, 40, 48)
    (region,) = newer.run("GatysStyleRegion", style=style, mask=mask)
    assert weight(region) == weight(style) + mask.nbytes
    (both,) = newer.run("GatysStyleRegion", style=style, mask=mask, others=region)
    assert weight(both) == weight(style) + 2 * mask.nbytes  # the style that they share counts once


def test_free_memory_is_what_the_patcher_says_where_it_does(newer, monkeypatch):
    def network(device, **told):
        return SimpleNamespace(patcher=SimpleNamespace(load_device=torch.device(device), **told))

    free = newer.host.free_memory
    monkeypatch.setattr(newer.mm, "free", 5000)
    monkeypatch.setattr(newer.mm, "extra_reserved_memory", lambda: 1000)
    assert free(network("cpu")) == 5000
    assert free(network("cpu", get_free_memory=lambda device: 6000)) == 6000
    assert free(network("cpu", get_free_memory=lambda device: 2**62)) < 2**62  # main memory has limits of its own
    # on a card the patcher counts what gives way, and the card itself does not
    assert free(network("cuda", get_free_memory=lambda device: 2**62)) == 2**62 - 1000
    assert free(network("cuda", get_free_memory=lambda device: 500)) == 0


@pytest.mark.parametrize(("node_id", "widget"), [(LOAD, "weights"), ("GatysLoadStyle", "name")])
def test_names_of_files_that_are_not_listed_come_to_the_node(newer, node_id, widget):
    """Naming an input in `validate_inputs` keeps the host from checking it against its list."""
    node = newer.nodes[node_id]
    assert node.validate_inputs(**{widget: "gone.safetensors"}) is True
    with pytest.raises(ValueError, match=rf"^{widget}: expected .*gone.safetensors"):
        newer.run(node_id, **{widget: "gone.safetensors"})


def test_the_hosts_name_is_put_on_our_values_by_the_nodes_alone(newer):
    sockets = sys.modules[f"{newer.pack.__name__}.nodes.sockets"]
    assert sockets.SIZED_BY == HOOK
    import gatys

    assert not hasattr(gatys.StyleTarget, HOOK)


@pytest.mark.parametrize("keep", [False, True])
def test_a_cancel_that_is_no_exception_ends_the_run_or_is_kept(newer, vgg19, keep):
    assert not issubclass(newer.mm.InterruptProcessingException, Exception)
    (content,) = newer.run(CONTENT, vgg19=vgg19, image=picture(1))
    seen = []

    def press(value, total, preview, node_id=None):
        seen.append(value)
        newer.mm.interrupt_current_processing()

    wired = {"vgg19": vgg19, "content": content, "steps": 9, "init": "noise", "keep_on_cancel": keep}
    newer.utils.set_progress_bar_global_hook(press)  # hears of the first step
    try:
        if keep:
            image, (history,), _ = newer.run(OPTIMIZE, **wired)
            assert image.shape == (1, 48, 40, 3) and len(history) == 2
        else:
            with pytest.raises(newer.mm.InterruptProcessingException):
                newer.run(OPTIMIZE, **wired)
    finally:
        newer.utils.set_progress_bar_global_hook(None)
    assert seen == [1] and not newer.mm.processing_interrupted()


def test_results_are_said_to_stay_on_their_node(newer):
    kept = {node_id for node_id, node in newer.nodes.items() if node.define_schema().has_intermediate_output}
    assert kept == {OPTIMIZE}


def test_search_words_go_to_hosts_that_know_them(newer):
    """The order in which a word finds several nodes is the page's: tests/test_host/test_page.py asks it."""
    known = {}
    for node_id, node in newer.nodes.items():
        defined = node.define_schema()
        assert len(set(defined.search_aliases)) == len(defined.search_aliases) > 2, node_id
        known[node_id] = [node_id.lower(), defined.display_name.lower(), *defined.search_aliases]
    assert set(search_words.FIRST.values()) <= set(known)
    for word, node_id in search_words.FIRST.items():
        assert any(word in text for text in known[node_id]), f"{word}: {node_id}"
