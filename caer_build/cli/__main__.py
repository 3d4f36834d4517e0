"""``python -m caer_build.cli`` is ``caer``, where scripts are not on the path."""

from caer_build.cli.main import main

if __name__ == "__main__":
    main()
