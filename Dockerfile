# The toolkit in a container, see docs/docker.md. For GPUs: --build-arg DEVICE=gpu
FROM python:3.12-slim

ARG DEVICE=cpu
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /simclr

# With the extra, CUDA comes in wheels; the host has to have the driver alone.
COPY requirements.txt .
RUN if [ "$DEVICE" = gpu ]; then \
        sed -i 's/^tensorflow>=/tensorflow[and-cuda]>=/' requirements.txt; \
    fi \
    && pip install --no-cache-dir -r requirements.txt

COPY . .
ENTRYPOINT ["python", "run.py"]
CMD ["--mode=train_then_eval"]
