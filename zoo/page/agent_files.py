"""Lists of files from agents: Gradio's MCP server takes the address of one file, and leaves those in a list as text."""

from functools import wraps


def take_lists_of_files() -> None:
    """Let the MCP server take lists of files too; once for the process, before a page is launched."""
    from gradio.mcp import GradioMCPServer

    convert = GradioMCPServer.convert_strings_to_filedata
    if hasattr(convert, "__wrapped__"):
        return

    @wraps(convert)
    def convert_lists_too(self, value, filedata_positions):
        return convert(self, value, [*filedata_positions, *listed(value, filedata_positions)])

    GradioMCPServer.convert_strings_to_filedata = convert_lists_too


def listed(value: dict, positions: list[list]) -> list[list]:
    """Where the files of lists are in the arguments `value` of a tool; the schema says 'items' for all of a list."""
    names = [place[0] for place in positions if len(place) == 2 and place[1] == "items"]
    return [[name, number] for name in names for number in range(len(value.get(name) or []))]
