"""Show why a summary scored as it did: in the terminal and as a picture. The page is ``result.to_html()``."""
