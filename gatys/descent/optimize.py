"""The descent from a starting picture to one that matches its targets, coarse to fine.

(Gatys et al., CVPR 2016, section 2.3; coarse to fine as in Gatys et al., CVPR 2017, section 6.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..network.vgg import VGG
from .arguments import Arguments, takes
from .choice import tell
from .course import Course, plan_course
from .logbook import Logbook
from .records import Result


@takes(Arguments)
def optimize(net: VGG, told: Arguments) -> Result:
    """Descend from a starting picture to one that has the content's features and the style's statistics.

    Where content and styles are grey, so is the result, unless `init` is a picture with colours, or there are further
    `terms`.

    Args:
        net: the network that the targets were extracted with, on the device and in the dtype to work in.
        told: the fields of `Settings` and of `arguments.Arguments`, given by their names: `content`, `style`, `steps`, ...

    Returns:
        A `Result`. With the same seed, device and numbers of threads it is the same; but for float32 on NVIDIA cards,
        where cuDNN may add up in another order each time.

    Raises:
        InputError: for targets that do not fit the network or each other, for settings that are not as `Settings` says,
            and where loss or gradient of the starting picture are not finite. Later on, the run goes back to its best
            picture.
        CheckpointError: for a state of another run, and a file that is none or cannot be written.
        OutOfMemory: if not even the smallest tiles fit. Where memory only runs out for the plan, the run goes on from
            the same picture with a smaller one, which `Result.notes` tell.

    Example:
        >>> net = gatys.load_vgg()
        >>> content = gatys.extract_content(net, gatys.load_image("photo.jpg", size=512))
        >>> style = gatys.extract_style(net, gatys.load_image("painting.jpg", size=512))
        >>> result = gatys.optimize(net, content=content, style=style, steps=200)
        >>> gatys.save_image(result, "result.png")
    """
    course = plan_course(net, told)
    book = Logbook(course)
    return book.finished() or _descend(course, book)


def _descend(course: Course, book: Logbook) -> Result:
    """Run the levels that are left, coarse to fine, each from the picture of the one before."""
    picture: Tensor | None = None
    dtype = course.dtype
    try:
        for level in book.levels:
            evaluate = course.evaluation(level, dtype)
            if picture is None:
                book.expected = course.say_outlook(evaluate)
            picture = course.picture(level, picture)
            descent = course.descent(level, picture, evaluate.plan)
            book.restore(evaluate, descent)
            for _ in range(book.left(level)):
                losses, gradient = evaluate(descent.ask())
                gradient = course.keep_grey(gradient)
                record = book.begin_step(level, losses, gradient)
                told = torch.stack([losses.smooth, losses.total], dim=1) if course.rounded else losses.total
                descent, happened = tell(descent, told, gradient, course.told.place)
                del losses, told, gradient  # the memory of a step is given back before the next
                book.end_step(level, evaluate, descent, happened)
                arrived = book.arrived(level, descent)
                if book.asks_to_stop(record, descent) or arrived:
                    break
            picture = course.keep_grey(descent.best)
            dtype = evaluate.plan.dtype or course.dtype  # what has left the range of a dtype would do so again
            if book.stopped:
                break
    except BaseException:
        book.keep_what_is_there()
        raise
    assert picture is not None  # noqa: S101 (there is a level at least)
    return book.result(picture)
