"""The board: rows from result documents, merging with the Hub's, the live board, submission, table and reports."""
