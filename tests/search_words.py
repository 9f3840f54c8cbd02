"""Words that people type when they look for a node, and which of ours must come first."""

OPTIMIZE = "GatysOptimize"
FIRST = {
    "nst": OPTIMIZE,
    "neural": OPTIMIZE,
    "neural style": OPTIMIZE,
    "neural style transfer": OPTIMIZE,
    "style transfer": OPTIMIZE,
    "artistic": OPTIMIZE,
    "art": OPTIMIZE,
    "stylize": OPTIMIZE,
    "stylise": OPTIMIZE,
    "painting": OPTIMIZE,
    "paint": OPTIMIZE,
    "van gogh": OPTIMIZE,
    "texture": OPTIMIZE,
    "gatys": OPTIMIZE,
    "film": "GatysOptimizeFrames",
    "video style": "GatysOptimizeFrames",
    "vgg": "GatysLoadVGG19",
    "content image": "GatysExtractContentFeatures",
    "gram": "GatysExtractStyleGrams",
    "style image": "GatysExtractStyleGrams",
    "mix styles": "GatysBlendStyles",
    "color match": "GatysMatchColors",
    "color transfer": "GatysMatchColors",
    "recolor": "GatysMatchColors",
    "original colors": "GatysKeepLuminance",
    "loss": "GatysPlotHistory",
    "diagnostics": "GatysPlotHistory",
    "style": "GatysStyleRegion",  # the shortest name that begins with the word: the page sets names above search words
}
