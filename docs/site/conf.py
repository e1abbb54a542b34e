"""Settings of Sphinx for the documentation site; ``python docs/site`` builds it."""

import os

import recpair

project = "recpair"
author = "the authors of recpair"
copyright = "the authors of recpair, MIT licence"
version = release = recpair.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
exclude_patterns = ["README.md"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = os.environ.get("NOTEBOOKS", "off")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
python_maximum_signature_line_length = 80
highlight_language = "python"

html_theme = "pydata_sphinx_theme"
html_title = f"recpair {version}"
html_static_path = ["static"]
html_css_files = ["recpair.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_sidebars = {"index": [], "CHANGELOG": []}
html_theme_options = {
    "logo": {"text": "recpair"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_depth": 3,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-light",
    "pygments_dark_style": "a11y-dark",
}
