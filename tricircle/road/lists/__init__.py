# SPDX-License-Identifier: Apache-2.0
"""How are the lists of many pods read as one list, page by page?

Words: *listing* (what a row says of its collection; it stands beside the row), *wish* (a client's query, taken apart),
*stream* (one pod's side of a list), *position* (how far the list has come there), *merge* (what is taken from all
streams, in order), *mark* (where a page begins), *round* (asking whoever is in the way), *run* (one list, while it is
made). See ``docs/decisions/0008-lists.md``.

May use: the road's rows and what carries one call. Must never: be used by these, or sort a pod's list anew.
"""
