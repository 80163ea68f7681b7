"""Configuration of the documentation site: ``sphinx-build docs target/docs``."""

project = "stemseg"
copyright = "The stemseg developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
html_theme = "alabaster"
html_title = "stemseg"
napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
exclude_patterns = ["_build"]
html_theme_options = {"page_width": "1100px", "description": "Segments STEM micrographs by local symmetry"}
