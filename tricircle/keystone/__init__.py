# SPDX-License-Identifier: Apache-2.0
"""Who is this, who are we, and what does the catalog say?

Words: *validator* (a user's token -> who asks), *service tokens* (our own identity), *catalog* (regions, services,
endpoints). May use: ``model``, ``observe``, ``conf``, ``context``, ``errors``. Must never: believe a header other
than the token, keep an answer longer than the token lives or 60 s, or judge tokens by itself: keystonemiddleware
does.
"""
