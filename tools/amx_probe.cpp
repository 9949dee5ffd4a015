// Does this compiler's AMX code run? GCC 12's ldtilecfg intrinsic tells the optimizer of 8 of the
// 64 bytes that it reads, so the rest of the tile configuration may be written too late, and the
// first tile instruction after it is illegal. Exits with 0 if all is well.
#include <cstdint>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

struct TileConfig {
    uint8_t palette = 0, start_row = 0, reserved[14] = {0};
    uint16_t colsb[16] = {0};
    uint8_t rows[16] = {0};
};

int main() {
    const int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)) return 1;
    alignas(64) TileConfig config = {};
    config.palette = 1;
    config.rows[0] = 8;   config.colsb[0] = 64;
    config.rows[4] = 16;  config.colsb[4] = 64;
    _tile_loadconfig(&config);
    _tile_zero(4);
    _tile_release();
    return 0;
}
