"""Documents as PDF/A-3b pages, set by typst with fonts of a pinned package."""
