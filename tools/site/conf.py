"""How Sphinx makes the site of the pages that make_site.py laid out."""

project = "Safelight"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 6
myst_disable_syntax = ["myst_role", "myst_line_comment", "myst_target", "myst_block_break", "dollarmath"]
smartquotes = False
highlight_language = "text"
suppress_warnings = ["myst.header"]  # a glossary may leave a level out
html_theme = "furo"
html_title = "Safelight"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_search_summary = False  # it would fetch pages, which a browser forbids for files
