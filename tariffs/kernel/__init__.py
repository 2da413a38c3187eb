"""The pure pricing kernel: usage and a compiled tariff in, an explained price out."""
