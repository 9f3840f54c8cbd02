"""Cancel and error at any moment in a real ComfyUI, each followed by a good run.

A few times by default, a hundred with GATYS_LONG_TESTS=1. The moments are drawn from GATYS_SEED, which is printed.
"""

import hashlib
import io
import os
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import host_server
import pytest
import torch
from host_graphs import batch, digested, digests, graph, is_result, node, pixels, saved

import gatys
from gatys.network.found_files import IMAGENET_FILE

INSTALLATION = host_server.find_installation()
pytestmark = [pytest.mark.host, pytest.mark.skipif(INSTALLATION is None, reason=host_server.NO_INSTALLATION)]
LONG = os.environ.get("GATYS_LONG_TESTS") == "1"
SEED = int(os.environ.get("GATYS_SEED", "0"))
LEVELS = 3
STAGES = ["loading", "extraction of the content", "extraction of the style", "step of L-BFGS", "preview"]
STAGES += [f"level {level}" for level in range(LEVELS)]
ANY, DOWNLOAD = "any time", "download"
NODES = {"extraction of the content": "content", "extraction of the style": "style"}
"""Where a cancel ends the run, and else in the optimiser; while filters are loaded it waits for the next node."""


def still(server, **optimizer):
    """Coarse to fine over three levels; the result is told to the last bit."""
    prompt = graph(server, 6, content=pixels(1, 64, 64), style=pixels(2, 64, 64), **optimizer)
    for name in ("content", "style"):
        prompt[name]["inputs"]["levels"] = LEVELS
    return digested(prompt)


def film(server):
    prompt = batch(server, graph(server, 3), pixels(4))
    optimize = prompt["optimize"]["inputs"]
    wired = {name: optimize[name] for name in ("vgg19", "content", "style")}
    prompt["optimize"] = node("GatysOptimizeFrames", **wired, steps=3, later_steps=3, keep_on_cancel=True)
    return digested(prompt)


# moments


def count_operations(server, prompt):
    """A good run: its result, seconds, and the torch operations of each stage."""
    server.forget()
    begin = time.monotonic()
    reference = server.run(prompt)
    seconds = time.monotonic() - begin
    server.forget()
    server.post("/instruments/watch", {})
    watched = server.run(prompt)
    assert digests(watched) == digests(reference)
    operations = server.get("/instruments/watch")["counts"]
    # how many previews there are depends on the time; the first and the last are always there
    operations["preview"] = 2 * operations["preview"] // len(watched.previews)
    return reference, seconds, operations


def cancelled_at(server, prompt, stage, after):
    """Run, and press Cancel at that operation of that stage: the worker waits in it until the cancel has come."""
    server.post("/instruments/watch", {"stage": stage, "after": after})

    def press(kind, data):
        if kind == "instruments":
            server.interrupt()

    run = server.run(prompt, on_event=press)
    return run, server.get("/instruments/watch")["seen_at"]


def cancelled_after(server, prompt, seconds):
    """Run, and press Cancel after that time, wherever the worker is."""
    server.post("/instruments/watch", {})
    timer = threading.Timer(seconds, server.interrupt)
    timer.start()
    run = server.run(prompt)
    timer.join()
    return run, server.get("/instruments/watch")["seen_at"] or "before or after"


@contextmanager
def weights_on_the_network(server):
    """An HTTP server with filters in torchvision's layout, and the pack's download pointed at it.

    Yields a dictionary: at the byte "cancel" of the transfer, Cancel is pressed.
    """
    state, file, plan = gatys.load_vgg19("untrained:7", pooling="average").state_dict(), io.BytesIO(), {"cancel": None}
    indices = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    layers = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    names = [
        (f"{layer}.{part}", f"features.{index}.{part}")
        for layer, index in zip(layers, indices, strict=True)
        for part in ("weight", "bias")
    ]
    torch.save({new: state[old].contiguous() for old, new in names}, file)
    content = file.getvalue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            at, piece = plan.pop("cancel", None), 1 << 18
            with suppress(ConnectionError):  # who cancels hangs up
                for begin in range(0, len(content), piece):
                    if at is not None and begin <= at < begin + piece:
                        self.wfile.write(content[begin:at])
                        server.interrupt()
                        begin, at = at, None
                    self.wfile.write(content[begin : begin + piece])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{http.server_address[1]}/vgg19-test.pth"
        server.post("/instruments/download", {"url": url, "sha256": hashlib.sha256(content).hexdigest()})
        plan["size"] = len(content)
        yield plan
        http.shutdown()


def rounds(rng, stages, number):
    """`number` stages, each about as often, in random order."""
    drawn = []
    while len(drawn) < number:
        drawn += rng.sample(stages, len(stages))
    return drawn[:number]


# cancel


def test_cancel_at_random_moments_each_followed_by_a_good_run(server):
    rng, hit, number = random.Random(SEED), Counter(), 100 if LONG else 5  # noqa: S311
    with weights_on_the_network(server) as network:
        folder = server.base / "models" / "vgg19"
        plain, trained = still(server), still(server)
        trained["vgg19"]["inputs"]["weights"] = "imagenet"
        reference, seconds, operations = count_operations(server, plain)
        assert set(STAGES) <= set(operations), operations
        (picture,) = saved(server, reference)
        assert is_result(picture, pixels(1, 64, 64))
        server.forget()
        downloaded = digests(server.run(trained))
        assert downloaded != digests(reference)
        for index, stage in enumerate(rounds(rng, [*STAGES, ANY, DOWNLOAD], number)):
            server.forget()
            prompt, expected = plain, digests(reference)
            if stage == DOWNLOAD:
                prompt, expected = trained, downloaded
                (folder / IMAGENET_FILE).unlink()
                network["cancel"] = rng.randrange(network["size"])
                run, at = server.run(prompt), DOWNLOAD
                assert "vgg19" not in run.finished
                assert not list(folder.iterdir())
            elif stage == ANY:
                run, at = cancelled_after(server, prompt, rng.uniform(0, seconds))
                at = f"{ANY}: {at}"
            else:
                run, at = cancelled_at(server, prompt, stage, rng.randint(1, operations[stage]))
                assert at == stage
                assert stage == "loading" or run.executed[-1] == NODES.get(stage, "optimize"), (at, run.executed)
            if stage != ANY or run.status != "success":  # it may have come too late
                assert run.status == "interrupted", (index, at, run.message)
            hit[at] += 1
            after = server.run(prompt)
            assert digests(after) == expected, (index, at)
            again = run.finished & set(after.executed)
            assert not again, (index, at, again)
    print(f"\ncancels by stage, seed {SEED}: {dict(sorted(hit.items()))}, {hit.total()} in all")
    assert hit.total() == number


def test_cancel_with_the_film_so_far_kept(server):
    rng, hit, kept = random.Random(SEED), Counter(), Counter()  # noqa: S311
    prompt = film(server)
    reference, seconds, operations = count_operations(server, prompt)
    assert len(digests(reference)) == 2
    stages = ["level 0", "step of L-BFGS", "preview", ANY]
    for stage in rounds(rng, stages, 30 if LONG else 3):
        server.forget()
        if stage == ANY:
            run, at = cancelled_after(server, prompt, rng.uniform(0, seconds))
        else:
            run, at = cancelled_at(server, prompt, stage, rng.randint(1, operations[stage]))
        hit[at] += 1
        assert run.status in ("success", "interrupted"), run.message
        if run.status == "success":  # else it came before or after the optimiser
            pictures = saved(server, run)
            kept[len(pictures)] += 1
            for picture, content in zip(pictures, (pixels(1), pixels(4)), strict=False):
                assert picture.shape == content.shape and picture.std() > 10
            whole = digests(run)[:-1]
            assert whole == digests(reference)[: len(whole)]
        after = server.run(prompt)
        assert digests(after) == digests(reference), at
        assert not (run.finished - {"optimize", "save", "digest optimize"}) & set(after.executed)
    print(f"\ncancels of films by stage, seed {SEED}: {dict(sorted(hit.items()))}; kept pictures: {dict(kept)}")
    assert kept.total()
    assert "cancelled; keeping" in server.log_text()


# errors


def layers_unknown(prompt):
    prompt["content"]["inputs"]["layers"] = "conv4_2, conv9_9"


def levels_that_differ(prompt):
    prompt["content"]["inputs"]["levels"] = 2


def levels_too_many(prompt):
    prompt["style"]["inputs"]["levels"] = 9


def network_of_another(prompt):
    prompt["other"] = node("GatysLoadVGG19", weights="untrained:3")
    prompt["optimize"]["inputs"]["vgg19"] = ["other", 0]


def seed_of_no_number(prompt):
    prompt["vgg19"]["inputs"]["weights"] = "untrained:many"


def pixels_not_a_number(prompt):
    prompt["poison"] = node("InstrumentsPoison", image=["scene", 0])
    prompt["content"]["inputs"]["image"] = ["poison", 0]


def start_not_a_number(prompt):
    prompt["poison"] = node("InstrumentsPoison", image=["scene", 0])
    prompt["optimize"]["inputs"]["init_image"] = ["poison", 0]


def style_not_a_number(prompt):
    prompt["poison"] = node("InstrumentsPoison", image=["painting", 0])
    prompt["style"]["inputs"]["image"] = ["poison", 0]


def steps_for_other_levels(prompt):
    prompt["optimize"]["inputs"]["steps_per_level"] = "1, 2"


def steps_too_few(prompt):
    prompt["optimize"]["inputs"]["steps"] = 2


def weights_not_finite(prompt):
    prompt["optimize"]["inputs"]["style_weight"] = float("nan")


def choice_unknown(prompt):
    prompt["optimize"]["inputs"]["optimizer"] = "newton"


def start_without_content(prompt):
    del prompt["optimize"]["inputs"]["content"]
    prompt["optimize"]["inputs"]["init"] = "content"


def tile_too_small(prompt):
    prompt["optimize"]["inputs"]["tile"] = 3


ERRORS = {
    layers_unknown: ("content", "unknown layer 'conv9_9'"),
    levels_that_differ: ("optimize", "levels"),
    levels_too_many: ("style", "use at most"),
    network_of_another: ("optimize", "untrained:3"),
    seed_of_no_number: ("vgg19", "whole number"),
    pixels_not_a_number: ("content", "NaN"),
    start_not_a_number: ("optimize", "NaN"),
    style_not_a_number: ("style", "NaN"),
    steps_for_other_levels: ("optimize", "steps"),
    steps_too_few: ("optimize", "steps"),
    weights_not_finite: ("optimize", "style_weight: expected a finite number"),
    choice_unknown: ("optimize", "optimizer: expected one of"),
    start_without_content: ("optimize", "init: 'content' needs a content target"),
    tile_too_small: ("optimize", "tile"),
}


def is_sentence(error):
    """Of ours, for a reader: one line that says what is wrong and not where in the program."""
    message = error["exception_message"].strip()
    known = (
        "ValueError",
        "TypeError",
        "gatys.InputError",
        "gatys.InputTypeError",
        "gatys.WeightsError",
        "gatys.StyleFileError",
    )
    assert error["exception_type"] in known
    assert "\n" not in message and "Traceback" not in message and "object at 0x" not in message
    assert 20 < len(message) < 400 and ":" in message, message
    return True


@pytest.fixture(scope="module")
def good(server):
    """A prompt and what it gives."""
    prompt = still(server, seed=5)
    return prompt, digests(server.run(prompt))


@pytest.mark.parametrize("spoil", ERRORS, ids=lambda spoil: spoil.__name__)
def test_error_in_the_middle_is_a_sentence_and_the_next_run_is_good(server, good, spoil):
    prompt, expected = good
    where, words = ERRORS[spoil]
    spoiled = {name: {**each, "inputs": dict(each["inputs"])} for name, each in prompt.items()}
    spoil(spoiled)
    if spoil is choice_unknown and INSTALLATION.newer:  # the server itself names the input, and nothing runs
        with pytest.raises(RuntimeError, match=r"value_not_in_list.*optimizer: 'newton' not in"):
            server.run(spoiled)
        assert digests(server.run(prompt)) == expected
        return
    run = server.run(spoiled)
    assert run.status == "error" and run.executed[-1] == where
    assert words in run.message, run.message
    assert is_sentence(run.error)
    after = server.run(prompt)
    assert digests(after) == expected
    unspoiled = {name for name in run.finished if spoiled[name] == prompt.get(name)}
    unspoiled = {name for name in unspoiled if name in ("scene", "painting")} | (unspoiled & {"vgg19"})
    assert unspoiled and not unspoiled & set(after.executed)
